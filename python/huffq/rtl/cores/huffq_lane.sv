// One symbol of a clock: finds the codeword at the head of the bits and shifts it out.
//
// Combinational. The limits make a thermometer (bits below the limit of l are below that of l + 1),
// and the codeword's length is where it rises. The path from `bits` to `rest` sets the clock of the
// whole decoder: it is one comparator and one multiplexer per stage of the shift, because the
// thermometer is halved along with the bits and steers them as it is, without being encoded.
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
  logic [MAX_LENGTH:1] below;  // [l]: a codeword of at most l bits
  for (genvar l = 1; l <= MAX_LENGTH; l++) begin : g_length
    assign below[l] = {1'b0, bits[BITS-1-:l]} < limits[(l-1)*(l+2)/2+:l+1];
  end
  assign found = below[MAX_LENGTH];

  // ---- Length and base: an OR over all lengths, the shortest last ---------------------------------

  logic [MAX_LENGTH:1] is_length;
  assign is_length = below & ~(below << 1);

  for (genvar l = MAX_LENGTH; l >= 1; l--) begin : g_select
    logic [SYMBOL_BITS+3:0] choice, chosen;
    assign choice = is_length[l] ? {4'(l), bases[(l-1)*SYMBOL_BITS+:SYMBOL_BITS]} : '0;
    if (l == MAX_LENGTH) begin : g_longest
      assign chosen = choice;
    end else begin : g_shorter
      assign chosen = g_select[l+1].chosen | choice;
    end
  end
  assign {length, base} = g_select[1].chosen;

  // ---- Codeword and rest: a shift by the length, large steps first --------------------------------

  localparam int STAGES = $clog2(MAX_LENGTH + 1);
  // Zeros above the bits, so that a codeword of fewer bits than a symbol can be cut out, too.
  localparam int KEPT = SYMBOL_BITS + REST_BITS;

  for (genvar s = STAGES - 1; s >= 0; s--) begin : g_shift
    // Bits that the smaller steps may still reach, and the same of the thermometer: whether the
    // codeword has l bits more than were shifted so far. Its middle decides.
    localparam int STEP = 2 ** s;
    logic [KEPT+2*STEP-2:0] in;
    logic [KEPT+STEP-2:0] out;
    logic [2*STEP-1:0] longer;
    if (s == STAGES - 1) begin : g_first
      assign in = (KEPT + 2 * STEP - 1)'(bits) << (2 * STEP - 1 - MAX_LENGTH);
      assign longer = (2 * STEP)'({~below[MAX_LENGTH-1:1], 2'b11});
    end else begin : g_next
      assign in = g_shift[s+1].out;
      assign longer = g_shift[s+1].longer[2*STEP]
          ? g_shift[s+1].longer[4*STEP-1:2*STEP] : g_shift[s+1].longer[2*STEP-1:0];
    end
    assign out = longer[STEP] ? in[KEPT+STEP-2:0] : in[KEPT+2*STEP-2:STEP];
  end
  assign {codeword, rest} = g_shift[0].out;
endmodule
