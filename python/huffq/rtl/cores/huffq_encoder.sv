// Encodes tiles of symbols into words, LANES symbols a clock: the counterpart of huffq_decoder.
//
// Three stages: look the codewords up, join those of one beat, append them to the word. The last
// word of a tile is padded with zeros and carries tlast, and tuser if a symbol of the tile has no
// codeword (it is left out). A tile has at least one symbol.
module huffq_encoder #(
    parameter int WORD_BITS = 32,
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter int LANES = 1,
    parameter int LOADABLE = 1,
    parameter bit [4*2**SYMBOL_BITS-1:0] LENGTHS = '0
) (
    input  logic                         aclk,
    input  logic                         aresetn,
    // The code, if LOADABLE: {length, symbol} in canonical order. Taken between tiles.
    input  logic                         s_table_tvalid,
    output logic                         s_table_tready,
    input  logic [      SYMBOL_BITS+3:0] s_table_tdata,
    input  logic                         s_table_tlast,
    output logic                         table_error,
    // Symbols, the first leftmost in tdata and in tkeep; tlast on the last of a tile.
    input  logic                         s_symbol_tvalid,
    output logic                         s_symbol_tready,
    input  logic [LANES*SYMBOL_BITS-1:0] s_symbol_tdata,
    input  logic [            LANES-1:0] s_symbol_tkeep,
    input  logic                         s_symbol_tlast,
    // Words, the first bit leftmost; tlast and tuser on the last of a tile.
    output logic                         m_word_tvalid,
    input  logic                         m_word_tready,
    output logic [        WORD_BITS-1:0] m_word_tdata,
    output logic                         m_word_tlast,
    output logic                         m_word_tuser
);
  localparam int JOINED = LANES * MAX_LENGTH;
  localparam int ENTRY = MAX_LENGTH + 4;  // {length, left-aligned codeword}
  localparam int SYMBOLS = 2 ** SYMBOL_BITS;
  localparam int FILL_BITS = $clog2(2 * WORD_BITS + 1);

  if (MAX_LENGTH < 2 || MAX_LENGTH > 15 || SYMBOL_BITS < 1 || SYMBOL_BITS > 8
      || LANES < 1) begin : g_check_range
    huffq_parameters_out_of_range stop ();
  end
  if (WORD_BITS < JOINED) begin : g_check_words
    huffq_word_bits_below_lanes_times_max_length stop ();
  end

  logic advance;  // every stage moves on
  logic idle;  // between tiles
  logic code_ready;
  logic [SYMBOLS*ENTRY-1:0] entries;

  huffq_codewords #(
      .SYMBOL_BITS(SYMBOL_BITS),
      .MAX_LENGTH(MAX_LENGTH),
      .LOADABLE(LOADABLE),
      .LENGTHS(LENGTHS)
  ) codewords (
      .aclk,
      .aresetn,
      .beat(s_table_tvalid && s_table_tready),
      .beat_data(s_table_tdata),
      .beat_last(s_table_tlast),
      .ready(code_ready),
      .error(table_error),
      .entries
  );

  assign s_table_tready = LOADABLE != 0 && idle;
  assign s_symbol_tready = advance && code_ready && !(s_table_tvalid && s_table_tready);

  // ---- Look-up ----------------------------------------------------------------------------------

  logic looked_valid, looked_last;
  logic [LANES-1:0] looked_keep;
  logic [LANES*ENTRY-1:0] looked;  // lane 0, the first symbol, lowest

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      looked_valid <= 1'b0;
      idle <= 1'b1;
    end else begin
      if (advance) looked_valid <= s_symbol_tvalid && s_symbol_tready;
      if (s_symbol_tvalid && s_symbol_tready) idle <= s_symbol_tlast;
    end
    if (advance) looked_last <= s_symbol_tlast;
  end

  for (genvar i = 0; i < LANES; i++) begin : g_look
    localparam int LEFT = LANES - 1 - i;
    logic [SYMBOL_BITS-1:0] symbol;
    logic [ENTRY-1:0] entry;
    assign symbol = s_symbol_tdata[SYMBOL_BITS*LEFT+:SYMBOL_BITS];
    assign entry = s_symbol_tkeep[LEFT] ? entries[ENTRY*symbol+:ENTRY] : '0;
    always_ff @(posedge aclk) begin
      if (advance) begin
        looked_keep[i] <= s_symbol_tkeep[LEFT];
        looked[ENTRY*i+:ENTRY] <= entry;
      end
    end
  end

  // ---- Joining the codewords of a beat ----------------------------------------------------------

  logic joined_valid, joined_last, joined_missing;
  logic [JOINED-1:0] joined;
  logic [FILL_BITS-1:0] joined_length;
  logic [LANES-1:0] missing_here;

  for (genvar i = 0; i < LANES; i++) begin : g_join
    logic [3:0] length_here;
    logic [JOINED-1:0] bits_here, bits;
    logic [FILL_BITS-1:0] length;
    assign length_here = looked[ENTRY*i+MAX_LENGTH+:4];
    assign bits_here = {looked[ENTRY*i+:MAX_LENGTH], {JOINED - MAX_LENGTH{1'b0}}};
    assign missing_here[i] = looked_keep[i] && length_here == '0;
    if (i == 0) begin : g_first
      assign bits = bits_here;
      assign length = FILL_BITS'(length_here);
    end else begin : g_next
      assign bits = g_join[i-1].bits | (bits_here >> g_join[i-1].length);
      assign length = g_join[i-1].length + FILL_BITS'(length_here);
    end
  end

  always_ff @(posedge aclk) begin
    if (!aresetn) joined_valid <= 1'b0;
    else if (advance) joined_valid <= looked_valid;
    if (advance) begin
      joined_last <= looked_last;
      joined_missing <= missing_here != '0;
      joined <= g_join[LANES-1].bits;
      joined_length <= g_join[LANES-1].length;
    end
  end

  // ---- Appending to the word --------------------------------------------------------------------

  logic emit;  // the output takes a word
  logic spilled;  // the rest of a finished tile is in `word`
  logic missing;  // a symbol of the tile so far has no codeword
  logic full;
  logic [WORD_BITS-1:0] word;
  logic [FILL_BITS-1:0] fill, total;
  logic [WORD_BITS+JOINED-1:0] appended;

  assign emit = !m_word_tvalid || m_word_tready;
  assign advance = emit && !spilled;
  assign appended = {word, {JOINED{1'b0}}} | ({joined, {WORD_BITS{1'b0}}} >> fill);
  assign total = fill + joined_length;
  assign full = total >= FILL_BITS'(WORD_BITS);

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      m_word_tvalid <= 1'b0;
      spilled <= 1'b0;
      missing <= 1'b0;
      word <= '0;
      fill <= '0;
    end else if (emit) begin
      m_word_tvalid <= spilled || (joined_valid && (full || joined_last));
      if (spilled || joined_valid) begin
        m_word_tdata <= spilled ? word : appended[JOINED+:WORD_BITS];
        m_word_tlast <= spilled || (joined_last && total <= FILL_BITS'(WORD_BITS));
        m_word_tuser <= missing || (!spilled && joined_missing);
        spilled <= !spilled && joined_last && total > FILL_BITS'(WORD_BITS);
        missing <= !spilled && (missing || joined_missing)
            && !(joined_last && total <= FILL_BITS'(WORD_BITS));
      end
      if (spilled) begin
        word <= '0;
        fill <= '0;
      end else if (joined_valid && full) begin
        word <= WORD_BITS'(appended[JOINED-1:0]) << (WORD_BITS - JOINED);
        fill <= total - FILL_BITS'(WORD_BITS);
      end else if (joined_valid) begin
        word <= joined_last ? '0 : appended[JOINED+:WORD_BITS];
        fill <= joined_last ? '0 : total;
      end
    end
  end
endmodule
