// One symbol of a clock: finds the codeword at the head of the bits and shifts it out.
//
// Combinational. The limits make a thermometer (bits below the limit of l are below that of l + 1),
// so the shortest length is one AND away, one-hot, and drives the shift as an AND-OR: the path from
// `bits` to `rest` is one comparator and one selection, which sets the clock of the whole decoder.
module huffq_lane #(
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter int BITS = 24,
    // Derived; leave them.
    parameter int LIMIT_BITS = MAX_LENGTH * (MAX_LENGTH + 3) / 2,
    parameter int REST_BITS = BITS - MAX_LENGTH
) (
    input  logic [                  BITS-1:0] bits,      // the next bit is the leftmost
    input  logic [            LIMIT_BITS-1:0] limits,
    input  logic [MAX_LENGTH*SYMBOL_BITS-1:0] bases,
    output logic [             REST_BITS-1:0] rest,      // what follows the codeword
    output logic                              found,     // whether there is a codeword
    output logic [                       3:0] length,
    output logic [           SYMBOL_BITS-1:0] codeword,  // modulo the alphabet
    output logic [           SYMBOL_BITS-1:0] base       // to be added for the rank
);
  logic [MAX_LENGTH-1:0] below;  // [l - 1]: a codeword of at most l bits
  logic [MAX_LENGTH-1:0] is_length;  // [l - 1]: of exactly l bits

  for (genvar l = 1; l <= MAX_LENGTH; l++) begin : g_length
    assign below[l-1] = {1'b0, bits[BITS-1-:l]} < limits[(l-1)*(l+2)/2+:l+1];
  end
  assign is_length = below & ~(below << 1);
  assign found = below[MAX_LENGTH-1];

  // Zeros above the bits, so that a codeword of fewer bits than a symbol can be cut out, too.
  localparam int PADDED = SYMBOL_BITS - 1 + MAX_LENGTH;
  logic [PADDED-1:0] padded;
  assign padded = PADDED'(bits[BITS-1-:MAX_LENGTH]);

  // OR over the lengths, each cut out at places that are fixed.
  for (genvar l = 1; l <= MAX_LENGTH; l++) begin : g_select
    localparam int CHOICE = REST_BITS + 4 + 2 * SYMBOL_BITS;
    logic [CHOICE-1:0] choice, chosen;
    assign choice = {
      bits[BITS-1-l-:REST_BITS],
      4'(l),
      padded[MAX_LENGTH-l+:SYMBOL_BITS],
      bases[(l-1)*SYMBOL_BITS+:SYMBOL_BITS]
    };
    if (l == 1) begin : g_first
      assign chosen = {CHOICE{is_length[l-1]}} & choice;
    end else begin : g_next
      assign chosen = g_select[l-1].chosen | ({CHOICE{is_length[l-1]}} & choice);
    end
  end
  assign {rest, length, codeword, base} = g_select[MAX_LENGTH].chosen;
endmodule
