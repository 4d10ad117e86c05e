// The code of an encoder: {length, left-aligned codeword} of each symbol, length 0 for a symbol
// without one.
//
// With LOADABLE they are registers that a table packet fills (see huffq_canonical); without, they
// are constants computed from LENGTHS, which holds symbol s's length in bits 4*s+3 to 4*s.
module huffq_codewords #(
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter int LOADABLE = 1,
    parameter bit [4*2**SYMBOL_BITS-1:0] LENGTHS = '0,
    // Derived; leave them.
    parameter int SYMBOLS = 2 ** SYMBOL_BITS,
    parameter int ENTRY = MAX_LENGTH + 4
) (
    input  logic                     aclk,
    input  logic                     aresetn,
    input  logic                     beat,
    input  logic [  SYMBOL_BITS+3:0] beat_data,
    input  logic                     beat_last,
    output logic                     ready,
    output logic                     error,
    output logic [SYMBOLS*ENTRY-1:0] entries
);
  function automatic [SYMBOLS*ENTRY-1:0] fixed_entries();
    int filled;
    fixed_entries = '0;
    filled = 0;
    for (int l = 1; l <= MAX_LENGTH; l++) begin
      for (int s = 0; s < SYMBOLS; s++) begin
        if (LENGTHS[4*s+:4] == 4'(l)) begin
          fixed_entries[ENTRY*s+:ENTRY] = {4'(l), MAX_LENGTH'(filled)};
          filled = filled + (1 << (MAX_LENGTH - l));
        end
      end
    end
  endfunction

  localparam bit [SYMBOLS*ENTRY-1:0] ENTRIES = fixed_entries();

  if (LOADABLE != 0) begin : g_loadable
    logic entry, first;
    logic [MAX_LENGTH-1:0] codeword;
    logic [MAX_LENGTH-1:0] unused_share;
    logic [MAX_LENGTH:0] unused_limit;
    logic [SYMBOL_BITS-1:0] unused_rank;

    huffq_canonical #(
        .SYMBOL_BITS(SYMBOL_BITS),
        .MAX_LENGTH(MAX_LENGTH)
    ) canonical (
        .aclk,
        .aresetn,
        .beat,
        .beat_length(beat_data[SYMBOL_BITS+:4]),
        .beat_last,
        .entry,
        .first,
        .share(unused_share),
        .codeword,
        .limit(unused_limit),
        .rank(unused_rank),
        .ready,
        .error
    );

    always_ff @(posedge aclk) begin
      if (beat) begin
        for (int s = 0; s < SYMBOLS; s++) begin
          if (entry && beat_data[SYMBOL_BITS-1:0] == SYMBOL_BITS'(s)) begin
            entries[ENTRY*s+:ENTRY] <= {beat_data[SYMBOL_BITS+:4], codeword};
          end else if (first) begin
            entries[ENTRY*s+:ENTRY] <= '0;
          end
        end
      end
    end
  end else begin : g_fixed
    assign entries = ENTRIES;
    assign ready = 1'b1;
    assign error = 1'b0;

    huffq_lengths #(
        .SYMBOL_BITS(SYMBOL_BITS),
        .MAX_LENGTH(MAX_LENGTH),
        .LENGTHS(LENGTHS)
    ) check ();

    logic unused;
    assign unused = &{aclk, aresetn, beat, beat_data, beat_last};
  end
endmodule
