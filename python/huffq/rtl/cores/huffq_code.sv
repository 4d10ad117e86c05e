// The code of a decoder, in the three parts that canonical decoding needs:
//
// - limits: for each length l, the first value of the next l bits that is no codeword of at most l
//   bits (l + 1 bits each, packed one after another). Peeked bits start a codeword of the shortest l
//   whose limit is above them: no memory of 2**MAX_LENGTH entries, and 15 bits cost no more than 15
//   comparators.
// - bases: for each length, what turns a codeword into its rank among all, modulo the alphabet.
// - symbols: the symbol of each rank.
//
// With LOADABLE they are registers that a table packet fills (see huffq_canonical); without, they
// are constants computed from LENGTHS, which holds symbol s's length in bits 4*s+3 to 4*s.
module huffq_code #(
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter int LOADABLE = 1,
    parameter bit [4*2**SYMBOL_BITS-1:0] LENGTHS = '0,
    // Derived; leave them.
    parameter int SYMBOLS = 2 ** SYMBOL_BITS,
    parameter int LIMIT_BITS = MAX_LENGTH * (MAX_LENGTH + 3) / 2
) (
    input  logic                              aclk,
    input  logic                              aresetn,
    input  logic                              beat,
    input  logic [           SYMBOL_BITS+3:0] beat_data,
    input  logic                              beat_last,
    output logic                              ready,
    output logic                              error,
    output logic [            LIMIT_BITS-1:0] limits,
    output logic [MAX_LENGTH*SYMBOL_BITS-1:0] bases,
    output logic [   SYMBOLS*SYMBOL_BITS-1:0] symbols
);
  function automatic [LIMIT_BITS-1:0] fixed_limits();
    int limit;
    limit = 0;
    for (int l = 1; l <= MAX_LENGTH; l++) begin
      limit = 2 * limit;
      for (int s = 0; s < SYMBOLS; s++) begin
        if (LENGTHS[4*s+:4] == 4'(l)) limit = limit + 1;
      end
      for (int b = 0; b <= l; b++) fixed_limits[(l-1)*(l+2)/2+b] = limit[b];
    end
  endfunction

  function automatic [MAX_LENGTH*SYMBOL_BITS-1:0] fixed_bases();
    int limit;
    int rank;
    limit = 0;
    rank = 0;
    for (int l = 1; l <= MAX_LENGTH; l++) begin
      limit = 2 * limit;
      for (int b = 0; b < SYMBOL_BITS; b++) begin
        fixed_bases[(l-1)*SYMBOL_BITS+b] = 1'((rank - limit) >> b);
      end
      for (int s = 0; s < SYMBOLS; s++) begin
        if (LENGTHS[4*s+:4] == 4'(l)) begin
          limit = limit + 1;
          rank = rank + 1;
        end
      end
    end
  endfunction

  function automatic [SYMBOLS*SYMBOL_BITS-1:0] fixed_symbols();
    int rank;
    fixed_symbols = '0;
    rank = 0;
    for (int l = 1; l <= MAX_LENGTH; l++) begin
      for (int s = 0; s < SYMBOLS; s++) begin
        if (LENGTHS[4*s+:4] == 4'(l)) begin
          fixed_symbols[rank*SYMBOL_BITS+:SYMBOL_BITS] = SYMBOL_BITS'(s);
          rank = rank + 1;
        end
      end
    end
  endfunction

  localparam bit [LIMIT_BITS-1:0] LIMITS = fixed_limits();
  localparam bit [MAX_LENGTH*SYMBOL_BITS-1:0] BASES = fixed_bases();
  localparam bit [SYMBOLS*SYMBOL_BITS-1:0] ORDER = fixed_symbols();

  if (LOADABLE != 0) begin : g_loadable
    logic entry, first;
    logic [SYMBOL_BITS-1:0] rank;
    logic [MAX_LENGTH-1:0] share, codeword;
    logic [MAX_LENGTH:0] limit;

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
        .share,
        .codeword,
        .limit,
        .rank,
        .ready,
        .error
    );

    // Zeros above the codeword, so that one of fewer bits than a symbol can be cut out, too.
    localparam int PADDED = SYMBOL_BITS - 1 + MAX_LENGTH;
    logic [PADDED-1:0] padded;
    assign padded = PADDED'(codeword);

    for (genvar l = 1; l <= MAX_LENGTH; l++) begin : g_length
      logic [l:0] limit_here;
      logic [SYMBOL_BITS-1:0] base_here;
      always_ff @(posedge aclk) begin
        if (beat) begin
          // Longer codewords come later: until they do, their limit is where this length ends.
          if (entry && share[MAX_LENGTH-1-:l] != '0) limit_here <= limit[MAX_LENGTH-:l+1];
          else if (first) limit_here <= '0;
          if (entry && share[MAX_LENGTH-l]) base_here <= rank - padded[MAX_LENGTH-l+:SYMBOL_BITS];
        end
      end
      assign limits[(l-1)*(l+2)/2+:l+1] = limit_here;
      assign bases[(l-1)*SYMBOL_BITS+:SYMBOL_BITS] = base_here;
    end

    always_ff @(posedge aclk) begin
      if (entry) begin
        for (int r = 0; r < SYMBOLS; r++) begin
          if (rank == SYMBOL_BITS'(r)) begin
            symbols[r*SYMBOL_BITS+:SYMBOL_BITS] <= beat_data[SYMBOL_BITS-1:0];
          end
        end
      end
    end
  end else begin : g_fixed
    assign limits = LIMITS;
    assign bases = BASES;
    assign symbols = ORDER;
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
