// Sends the packets of a code_table_load.memh file, one per table.
module huffq_bench_table #(
    parameter int SYMBOL_BITS = 4
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
  int begun = 0;
  logic inside_table = 1'b0;
  logic step;
  assign step = running && (!tvalid || tready) && (tvalid || inside_table || begun < allowed);

  initial begin
    tvalid = 1'b0;
    sent   = 0;
  end

  function automatic logic [SYMBOL_BITS+4:0] read_beat();
    logic [SYMBOL_BITS+4:0] beat;
    int handle;  // a port is not accepted there by Verilator
    handle = file;
    if ($fscanf(handle, "%h", beat) != 1) begin
      $display("FAIL: code_table_load.memh ends too early");
      $fatal;
    end
    read_beat = beat;
  endfunction

  always @(posedge aclk) begin : send
    logic [SYMBOL_BITS+4:0] beat;
    if (step) begin
      if (tvalid && tlast) sent <= sent + 1;
      tvalid <= 1'b0;
      if (!gap && (inside_table || begun < allowed)) begin
        if (!inside_table) begun = begun + 1;
        beat = read_beat();
        inside_table = !beat[SYMBOL_BITS+4];
        tvalid <= 1'b1;
        tdata <= beat[SYMBOL_BITS+3:0];
        tlast <= beat[SYMBOL_BITS+4];
      end
    end
  end
endmodule
