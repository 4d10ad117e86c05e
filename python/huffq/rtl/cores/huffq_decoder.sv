// Decodes tiles of Huffman-coded words, LANES symbols a clock.
//
// Words come MSB first, one packet per tile. `window` holds the next WINDOW bits of the stream,
// enough for the longest codewords of all lanes; `position` says where in the oldest queued word the
// bits after the window begin. Each clock the lanes consume codewords at the window's head, while a
// funnel shifter, which depends on `position` alone, already presents the bits that follow. The
// window's loop therefore holds the lanes and nothing else, and the word queue stays off it.
//
// Every tile ends with exactly one beat with tlast, whose tuser says how it went:
//   0  all symbols are there, and all words were used
//   1  the next bits are no codeword of the table
//   2  the words ended before the last symbol
//   3  whole words are left after the last symbol
// The beat holds the symbols that came before the fault. What is left of the packet is skipped, and
// the next tile starts afresh.
module huffq_decoder #(
    parameter int WORD_BITS = 32,
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter int LANES = 1,
    parameter int COUNT_BITS = 16,
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
    // Symbols in each tile. Zero: the tile has no words, either.
    input  logic                         s_tile_tvalid,
    output logic                         s_tile_tready,
    input  logic [       COUNT_BITS-1:0] s_tile_tdata,
    // Words, the first bit leftmost; tlast on the last of a tile.
    input  logic                         s_word_tvalid,
    output logic                         s_word_tready,
    input  logic [        WORD_BITS-1:0] s_word_tdata,
    input  logic                         s_word_tlast,
    // Symbols, the first leftmost in tdata and in tkeep.
    output logic                         m_symbol_tvalid,
    input  logic                         m_symbol_tready,
    output logic [LANES*SYMBOL_BITS-1:0] m_symbol_tdata,
    output logic [            LANES-1:0] m_symbol_tkeep,
    output logic                         m_symbol_tlast,
    output logic [                  1:0] m_symbol_tuser
);
  localparam int WINDOW = LANES * MAX_LENGTH;
  localparam int SYMBOLS = 2 ** SYMBOL_BITS;
  localparam int LIMIT_BITS = MAX_LENGTH * (MAX_LENGTH + 3) / 2;
  localparam int SHIFTS = $clog2(WORD_BITS);
  localparam int POSITION_BITS = $clog2(2 * WORD_BITS + 1);
  // Where a word may be crossed sooner than a new one can be queued, one more hides the gap.
  localparam int SLOTS = WORD_BITS >= 2 * WINDOW - 1 ? 2 : 3;
  localparam logic [1:0] OK = 2'd0, NO_CODEWORD = 2'd1, ENDED_EARLY = 2'd2, WORDS_LEFT = 2'd3;
  localparam logic [1:0] IDLE = 2'd0, DECODE = 2'd1, SKIP = 2'd2;

  if (MAX_LENGTH < 2 || MAX_LENGTH > 15 || SYMBOL_BITS < 1 || SYMBOL_BITS > 8 || LANES < 1
      || COUNT_BITS < 2 || (LANES >> COUNT_BITS) != 0) begin : g_check_range
    huffq_parameters_out_of_range stop ();
  end
  if (WORD_BITS < WINDOW) begin : g_check_words
    huffq_word_bits_below_lanes_times_max_length stop ();
  end

  logic [1:0] state;
  logic [COUNT_BITS-1:0] left;  // symbols of the tile that are to come
  logic [WINDOW-1:0] window;
  logic [POSITION_BITS-1:0] position;
  // The tile's last word has left the queue: zeros follow, and `position` counts those in the window.
  logic exhausted;

  // ---- Code -------------------------------------------------------------------------------------

  logic code_ready;
  logic [LIMIT_BITS-1:0] limits;
  logic [MAX_LENGTH*SYMBOL_BITS-1:0] bases;
  logic [SYMBOLS*SYMBOL_BITS-1:0] symbols;

  huffq_code #(
      .SYMBOL_BITS(SYMBOL_BITS),
      .MAX_LENGTH(MAX_LENGTH),
      .LOADABLE(LOADABLE),
      .LENGTHS(LENGTHS)
  ) code (
      .aclk,
      .aresetn,
      .beat(s_table_tvalid && s_table_tready),
      .beat_data(s_table_tdata),
      .beat_last(s_table_tlast),
      .ready(code_ready),
      .error(table_error),
      .limits,
      .bases,
      .symbols
  );

  // ---- Words and the bits that follow the window --------------------------------------------------

  logic pop, valid_0, last_0, valid_1;
  logic [WORD_BITS-1:0] word_0;
  logic [WINDOW-2:0] word_1;

  huffq_words #(
      .WORD_BITS(WORD_BITS),
      .AHEAD(WINDOW - 1),
      .SLOTS(SLOTS)
  ) queue (
      .aclk,
      .aresetn,
      .s_word_tvalid,
      .s_word_tready,
      .s_word_tdata,
      .s_word_tlast,
      .pop,
      .valid_0,
      .last_0,
      .word_0,
      .valid_1,
      .word_1
  );

  localparam int AHEAD = WINDOW - 1 + 2 ** SHIFTS;
  logic [AHEAD-1:0] ahead;
  logic [WINDOW-1:0] following;
  logic fed;  // `following` is whole, or the tile ends in it

  assign ahead = AHEAD'({exhausted ? {WORD_BITS{1'b0}} : word_0, last_0 ? {WINDOW-1{1'b0}} : word_1})
      << (2 ** SHIFTS - WORD_BITS);

  // Large shifts first: each stage carries only what the smaller ones after it can reach.
  for (genvar s = SHIFTS - 1; s >= 0; s--) begin : g_funnel
    localparam int REACH = WINDOW + (1 << s) - 1;
    logic [REACH+(1<<s)-1:0] in;
    logic [REACH-1:0] out;
    if (s == SHIFTS - 1) begin : g_first
      assign in = ahead;
    end else begin : g_next
      assign in = g_funnel[s+1].out;
    end
    assign out = position[s] ? in[REACH-1:0] : in[REACH+(1<<s)-1-:REACH];
  end
  assign following = g_funnel[0].out;
  assign fed = exhausted || (valid_0 && (last_0 || valid_1
      || position <= POSITION_BITS'(WORD_BITS - WINDOW)));

  // ---- Lanes ------------------------------------------------------------------------------------

  logic [LANES-1:0] wanted;  // the tile has a symbol for this lane
  logic [LANES-1:0] found;
  logic [LANES-1:0] whole;  // the codeword ends within the tile's words
  logic [LANES-1:0] keep;  // the lane gives a symbol
  logic [LANES*SYMBOL_BITS-1:0] codeword, base;

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    localparam int BITS = 2 * WINDOW - i * MAX_LENGTH;
    logic [BITS-1:0] bits;
    logic [BITS-MAX_LENGTH-1:0] rest;
    logic [3:0] length;
    logic good;  // a symbol, and no fault up to it
    logic [POSITION_BITS-1:0] from, to;  // `position` before and after

    if (i == 0) begin : g_first
      assign bits = {window, following};
      assign from = position;
      assign good = found[i] && whole[i];
    end else begin : g_next
      assign bits = g_lane[i-1].rest;
      assign from = g_lane[i-1].to;
      assign good = g_lane[i-1].good && wanted[i] && found[i] && whole[i];
    end

    huffq_lane #(
        .SYMBOL_BITS(SYMBOL_BITS),
        .MAX_LENGTH(MAX_LENGTH),
        .BITS(BITS)
    ) lane (
        .bits,
        .limits,
        .bases,
        .rest,
        .found(found[i]),
        .length,
        .codeword(codeword[SYMBOL_BITS*i+:SYMBOL_BITS]),
        .base(base[SYMBOL_BITS*i+:SYMBOL_BITS])
    );

    assign wanted[i] = left > COUNT_BITS'(i);
    assign to = wanted[i] ? from + POSITION_BITS'(length) : from;
    assign keep[i] = good;
    assign whole[i] = !exhausted || to <= POSITION_BITS'(WINDOW);
  end

  // ---- Control ----------------------------------------------------------------------------------

  logic advance;  // the look-up takes a beat
  logic start, start_empty, step, crossing, bad, finish, used_last;
  logic [POSITION_BITS-1:0] end_position;
  logic [1:0] status;

  // Starting is a step of WINDOW bits from position 0 that decodes nothing.
  assign end_position = state == DECODE ? g_lane[LANES-1].to
      : POSITION_BITS'(WINDOW);
  assign crossing = !exhausted && end_position >= POSITION_BITS'(WORD_BITS);
  assign step = state == DECODE && fed && advance;
  assign bad = (wanted & ~keep) != '0;
  assign finish = left <= COUNT_BITS'(LANES) || bad;
  // The last bit that was decoded lies in the tile's last word.
  assign used_last = exhausted || (last_0 && end_position > POSITION_BITS'(WINDOW));
  assign pop = ((start || step) && crossing) || (step && finish && last_0 && !exhausted)
      || (state == SKIP && valid_0);

  always_comb begin
    status = finish && !used_last ? WORDS_LEFT : OK;
    for (int i = LANES - 1; i >= 0; i--) begin
      if (wanted[i] && !found[i]) status = NO_CODEWORD;
      else if (wanted[i] && !whole[i]) status = ENDED_EARLY;
    end
  end

  assign s_table_tready = LOADABLE != 0 && state == IDLE && !looked_valid;
  assign s_tile_tready = state == IDLE && code_ready && !(LOADABLE != 0 && s_table_tvalid)
      && (s_tile_tdata == '0 ? advance : valid_0);
  assign start = s_tile_tvalid && s_tile_tready && s_tile_tdata != '0;
  assign start_empty = s_tile_tvalid && s_tile_tready && s_tile_tdata == '0;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      state <= IDLE;
      position <= '0;
      exhausted <= 1'b0;
    end else if (start) begin
      state <= DECODE;
      position <= crossing ? '0 : end_position;
      exhausted <= crossing && last_0;
    end else if (step && finish) begin
      state <= exhausted || last_0 ? IDLE : SKIP;
      position <= '0;
      exhausted <= 1'b0;
    end else if (step) begin
      position <= crossing ? end_position - POSITION_BITS'(WORD_BITS) : end_position;
      exhausted <= exhausted || (crossing && last_0);
    end else if (state == SKIP && valid_0 && last_0) begin
      state <= IDLE;
    end
  end

  always_ff @(posedge aclk) begin
    if (start) begin
      left <= s_tile_tdata;
      window <= following;
    end else if (step) begin
      left <= left - COUNT_BITS'(LANES);
      window <= g_lane[LANES-1].rest;
    end
  end

  // ---- Look-up of the symbols -------------------------------------------------------------------

  logic looked_valid, looked_last;
  logic [LANES-1:0] looked_keep;
  logic [1:0] looked_status;
  logic [LANES*SYMBOL_BITS-1:0] looked_codeword, looked_base;
  logic emit;  // the output takes a beat

  assign emit = !m_symbol_tvalid || m_symbol_tready;
  assign advance = !looked_valid || emit;

  always_ff @(posedge aclk) begin
    if (!aresetn) looked_valid <= 1'b0;
    else if (advance) looked_valid <= step || start_empty;
    if (advance) begin
      looked_keep <= start_empty ? '0 : keep;
      looked_last <= start_empty || finish;
      looked_status <= start_empty ? OK : status;
      looked_codeword <= codeword;
      looked_base <= base;
    end

    if (!aresetn) m_symbol_tvalid <= 1'b0;
    else if (emit) m_symbol_tvalid <= looked_valid;
    if (emit) begin
      m_symbol_tlast <= looked_last;
      m_symbol_tuser <= looked_status;
    end
  end

  for (genvar i = 0; i < LANES; i++) begin : g_symbol
    localparam int RIGHT = LANES - 1 - i;
    logic [SYMBOL_BITS-1:0] rank;
    assign rank = looked_codeword[SYMBOL_BITS*i+:SYMBOL_BITS]
        + looked_base[SYMBOL_BITS*i+:SYMBOL_BITS];
    always_ff @(posedge aclk) begin
      if (emit) begin
        m_symbol_tkeep[RIGHT] <= looked_keep[i];
        m_symbol_tdata[SYMBOL_BITS*RIGHT+:SYMBOL_BITS] <= looked_keep[i]
            ? symbols[SYMBOL_BITS*rank+:SYMBOL_BITS] : '0;
      end
    end
  end
endmodule
