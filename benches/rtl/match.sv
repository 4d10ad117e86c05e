// The look-up that huffq_lane is measured against: every symbol's entry {length, codeword, mask} is
// compared with the next bits, and one matches.
module match #(
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH  = 12
) (
    input  logic                   aclk,
    input  logic                   write,
    input  logic [SYMBOL_BITS-1:0] write_symbol,
    input  logic [            3:0] write_length,    // 0: no codeword
    input  logic [ MAX_LENGTH-1:0] write_codeword,  // left-aligned
    input  logic [ MAX_LENGTH-1:0] bits,
    output logic                   found,
    output logic [            3:0] length,
    output logic [SYMBOL_BITS-1:0] symbol
);
  localparam int SYMBOLS = 2 ** SYMBOL_BITS;

  for (genvar s = 0; s < SYMBOLS; s++) begin : g_symbol
    logic [3:0] length_here;
    logic [MAX_LENGTH-1:0] codeword_here, mask_here;
    logic hit, found_here;
    logic [3:0] length_so_far;
    logic [SYMBOL_BITS-1:0] symbol_so_far;

    always_ff @(posedge aclk) begin
      if (write && write_symbol == SYMBOL_BITS'(s)) begin
        length_here <= write_length;
        codeword_here <= write_codeword;
        mask_here <= ~({MAX_LENGTH{1'b1}} >> write_length);
      end
    end
    assign hit = length_here != '0 && ((bits ^ codeword_here) & mask_here) == '0;
    if (s == 0) begin : g_first
      assign found_here = hit;
      assign length_so_far = length_here & {4{hit}};
      assign symbol_so_far = '0;
    end else begin : g_next
      assign found_here = g_symbol[s-1].found_here || hit;
      assign length_so_far = g_symbol[s-1].length_so_far | (length_here & {4{hit}});
      assign symbol_so_far = g_symbol[s-1].symbol_so_far
          | (SYMBOL_BITS'(s) & {SYMBOL_BITS{hit}});
    end
  end

  assign found = g_symbol[SYMBOLS-1].found_here;
  assign length = g_symbol[SYMBOLS-1].length_so_far;
  assign symbol = g_symbol[SYMBOLS-1].symbol_so_far;
endmodule
