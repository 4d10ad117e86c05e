// Canonical codewords while a table is loaded.
//
// A table arrives as one packet: its codewords in canonical order (shorter first, ties by symbol),
// one {length, symbol} per beat, tlast on the last. Lengths alone determine the codewords: each is
// the previous one plus 1, shifted left as lengths grow. Left-aligned in MAX_LENGTH bits that is one
// adder, and the sum is also the limit below which peeked bits belong to the codewords so far.
//
// An entry that cannot follow (length 0, above MAX_LENGTH or below its predecessor's, or a table
// that is full) is dropped and raises `error` until the next table begins.
module huffq_canonical #(
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH  = 12
) (
    input  logic                   aclk,
    input  logic                   aresetn,
    // One beat of the packet, in the cycle in which it is taken.
    input  logic                   beat,
    input  logic [            3:0] beat_length,
    input  logic                   beat_last,
    // What the beat means, in the same cycle.
    output logic                   entry,      // the beat is a codeword
    output logic                   first,      // the beat begins a table
    output logic [ MAX_LENGTH-1:0] share,      // one-hot: 2**MAX_LENGTH >> length
    output logic [ MAX_LENGTH-1:0] codeword,   // left-aligned
    output logic [   MAX_LENGTH:0] limit,      // codeword + share
    output logic [SYMBOL_BITS-1:0] rank,       // codewords before this one
    // The state of the table.
    output logic                   ready,
    output logic                   error
);
  // The left-aligned sum of all codewords' shares so far: at 2**MAX_LENGTH the table is full.
  logic [MAX_LENGTH:0] filled;
  logic [3:0] previous;

  always_comb begin
    for (int l = 1; l <= MAX_LENGTH; l++) begin
      share[MAX_LENGTH-l] = beat_length == 4'(l);
    end
  end

  assign entry = beat && share != '0 && beat_length >= previous && !filled[MAX_LENGTH];
  assign codeword = filled[MAX_LENGTH-1:0];
  assign limit = filled + {1'b0, share};

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      first <= 1'b1;
      filled <= '0;
      previous <= '0;
      rank <= '0;
      ready <= 1'b0;
      error <= 1'b0;
    end else if (beat) begin
      first <= beat_last;
      filled <= beat_last ? '0 : entry ? limit : filled;
      previous <= beat_last ? '0 : entry ? beat_length : previous;
      rank <= beat_last ? '0 : entry ? rank + 1'b1 : rank;
      ready <= beat_last;
      error <= !entry || (error && !first);
    end
  end
endmodule
