// The look-up of huffq_decoder by itself: from the next bits to length and symbol.
module limits #(
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH  = 12
) (
    input  logic                   aclk,
    input  logic                   aresetn,
    input  logic                   beat,
    input  logic [SYMBOL_BITS+3:0] beat_data,
    input  logic                   beat_last,
    input  logic [ MAX_LENGTH-1:0] bits,
    output logic                   found,
    output logic [            3:0] length,
    output logic [SYMBOL_BITS-1:0] symbol
);
  localparam int LIMIT_BITS = MAX_LENGTH * (MAX_LENGTH + 3) / 2;
  logic unused_ready, unused_error, unused_rest;
  logic [LIMIT_BITS-1:0] code_limits;
  logic [MAX_LENGTH*SYMBOL_BITS-1:0] bases;
  logic [2**SYMBOL_BITS*SYMBOL_BITS-1:0] symbols;
  logic [SYMBOL_BITS-1:0] codeword, base, rank;

  huffq_code #(
      .SYMBOL_BITS(SYMBOL_BITS),
      .MAX_LENGTH(MAX_LENGTH)
  ) code (
      .aclk,
      .aresetn,
      .beat,
      .beat_data,
      .beat_last,
      .ready(unused_ready),
      .error(unused_error),
      .limits(code_limits),
      .bases,
      .symbols
  );

  huffq_lane #(
      .SYMBOL_BITS(SYMBOL_BITS),
      .MAX_LENGTH(MAX_LENGTH),
      .BITS(MAX_LENGTH + 1)
  ) lane (
      .bits({bits, 1'b0}),
      .limits(code_limits),
      .bases,
      .rest(unused_rest),
      .found,
      .length,
      .codeword,
      .base
  );

  assign rank = codeword + base;
  assign symbol = symbols[SYMBOL_BITS*rank+:SYMBOL_BITS];
endmodule
