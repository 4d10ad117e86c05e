// The first words of a stream: a queue whose oldest words can be read, with a registered ready.
module huffq_words #(
    parameter int WORD_BITS = 32,
    parameter int AHEAD = 12,  // leftmost bits of the second word that are read
    parameter int SLOTS = 2
) (
    input  logic                 aclk,
    input  logic                 aresetn,
    input  logic                 s_word_tvalid,
    output logic                 s_word_tready,
    input  logic [WORD_BITS-1:0] s_word_tdata,
    input  logic                 s_word_tlast,
    input  logic                 pop,            // drop the oldest word; there must be one
    output logic                 valid_0,
    output logic                 last_0,
    output logic [WORD_BITS-1:0] word_0,
    output logic                 valid_1,
    output logic [    AHEAD-1:0] word_1
);
  // Slot 0 is the oldest; one more than there is reads as empty.
  logic [SLOTS:0] valid;
  logic [SLOTS:0] last;
  logic [(SLOTS+1)*WORD_BITS-1:0] words;
  logic push;

  assign valid[SLOTS] = 1'b0;
  assign last[SLOTS] = 1'b0;
  assign words[SLOTS*WORD_BITS+:WORD_BITS] = '0;
  assign s_word_tready = !valid[SLOTS-1];
  assign push = s_word_tvalid && s_word_tready;

  for (genvar i = 0; i < SLOTS; i++) begin : g_slot
    logic valid_here, last_here;
    logic [WORD_BITS-1:0] word_here;
    // After `pop`: whether the slot holds a word, and whether the one before it does, so that a new
    // word comes here.
    logic kept, reached;
    assign kept = pop ? valid[i+1] : valid[i];
    if (i == 0) assign reached = 1'b1;
    else assign reached = pop ? valid[i] : valid[i-1];

    always_ff @(posedge aclk) begin
      if (!aresetn) valid_here <= 1'b0;
      else valid_here <= kept || (push && reached);
      if (pop && kept) begin
        last_here <= last[i+1];
        word_here <= words[(i+1)*WORD_BITS+:WORD_BITS];
      end else if (!kept) begin
        last_here <= s_word_tlast;
        word_here <= s_word_tdata;
      end
    end

    assign valid[i] = valid_here;
    assign last[i] = last_here;
    assign words[i*WORD_BITS+:WORD_BITS] = word_here;
  end

  assign valid_0 = valid[0];
  assign last_0 = last[0];
  assign word_0 = words[0+:WORD_BITS];
  assign valid_1 = valid[1];
  assign word_1 = words[2*WORD_BITS-1-:AHEAD];
endmodule
