// Stops elaboration unless LENGTHS is a prefix code: at least one codeword, none above MAX_LENGTH,
// and no more of them than there is room for (Kraft's inequality).
module huffq_lengths #(
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter bit [4*2**SYMBOL_BITS-1:0] LENGTHS = 1  // a code, as tools may elaborate defaults
);
  // The share of all bit strings that have a codeword, in units of 2**-MAX_LENGTH.
  function automatic int share();
    share = 0;
    for (int s = 0; s < 2 ** SYMBOL_BITS; s++) begin
      if (32'(LENGTHS[4*s+:4]) > MAX_LENGTH) share = share + (2 << MAX_LENGTH);
      else if (LENGTHS[4*s+:4] != '0) share = share + (1 << (MAX_LENGTH - 32'(LENGTHS[4*s+:4])));
    end
  endfunction

  if (share() == 0 || share() > 1 << MAX_LENGTH) begin : g_check
    huffq_lengths_are_no_code stop ();
  end
endmodule
