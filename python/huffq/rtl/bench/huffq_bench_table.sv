// Sends the tables of a code_table.memh file, one packet each, as the cores want them: from entries
// {length, codeword} in symbol order to {length, symbol} in canonical order.
module huffq_bench_table #(
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH  = 12
) (
    input  logic                   aclk,
    input  logic                   running,
    input  int                     file,
    input  int                     allowed,  // tables that may have begun by now
    input  logic                   gap,
    output int                     sent,     // tables that have been taken
    output logic                   tvalid,
    input  logic                   tready,
    output logic [SYMBOL_BITS+3:0] tdata,
    output logic                   tlast
);
  localparam int SYMBOLS = 2 ** SYMBOL_BITS;
  localparam int ENTRY_BITS = MAX_LENGTH + 4;

  logic [3:0] lengths[SYMBOLS];
  int begun = 0;
  int next_length = 0;  // 0: no table is under way
  int next_symbol = 0;
  int left = 0;
  logic step;
  assign step = running && (!tvalid || tready) && (tvalid || next_length != 0 || begun < allowed);

  initial begin
    tvalid = 1'b0;
    sent   = 0;
  end

  function automatic logic [3:0] read_length();
    logic [ENTRY_BITS-1:0] entry;
    int handle;  // a port is not accepted there by Verilator
    handle = file;
    if ($fscanf(handle, "%h", entry) != 1) begin
      $display("FAIL: code_table.memh ends too early");
      $fatal;
    end
    read_length = entry[MAX_LENGTH+:4];
  endfunction

  task automatic begin_table;
    left = 0;
    for (int s = 0; s < SYMBOLS; s++) begin
      lengths[s] = read_length();
      if (lengths[s] != '0) left = left + 1;
    end
    begun = begun + 1;
    next_length = 1;
    next_symbol = 0;
  endtask

  // Moves to the next symbol in canonical order.
  task automatic find_entry;
    while (32'(lengths[next_symbol]) != next_length) advance();
  endtask

  task automatic advance;
    next_symbol = next_symbol + 1;
    if (next_symbol == SYMBOLS) begin
      next_symbol = 0;
      next_length = next_length + 1;
    end
  endtask

  always @(posedge aclk) begin
    if (step) begin
      if (tvalid && tlast) sent <= sent + 1;
      tvalid <= 1'b0;
      if (next_length == 0 && begun < allowed) begin_table();
      if (next_length != 0 && !gap) begin
        find_entry();
        left = left - 1;
        tvalid <= 1'b1;
        tdata <= {4'(next_length), SYMBOL_BITS'(next_symbol)};
        tlast <= left == 0;
        if (left == 0) next_length = 0;
        else advance();
      end
    end
  end
endmodule
