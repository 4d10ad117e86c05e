// Self-checking bench: decodes the tiles of a folder and encodes them again, both at once, with
// random gaps on every stream, and compares every row and every word.
//
// Plusargs:
//   +dir=FOLDER   stream.memh, stream_index.memh, code_table_load.memh and rows.memh (default "tiles")
//   +stall=P      chance in 256 of a gap before each beat, on each stream (default 64). With 0 the
//                 bench also demands the clocks that huffq_decoder promises.
//   +seed=N       seed of the gaps
//
// The table file holds one table for all tiles, or one per tile, which is loaded before its tile.
// Ends with a line that starts with PASS or FAIL.
module huffq_bench #(
    parameter int WORD_BITS = 32,
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter int LANES = 1,
    parameter int ROWS = 8,
    parameter int COUNT_BITS = 32,
    parameter int LOADABLE = 1,
    parameter bit [4*2**SYMBOL_BITS-1:0] LENGTHS = '0
);
  localparam int ROW_BITS = ROWS * SYMBOL_BITS;
  localparam int BEAT_BITS = LANES * SYMBOL_BITS;
  localparam int BEATS = ROWS / LANES;
  // The widest line of a file: an entry of the index, a word or a row.
  localparam int WIDER = WORD_BITS > ROW_BITS ? WORD_BITS : ROW_BITS;
  localparam int LINE_BITS = WIDER > 128 ? WIDER : 128;

  localparam int CLOCK = 10;
  logic aclk = 1'b0;
  logic aresetn = 1'b0;
  always #(CLOCK / 2) aclk = !aclk;

  // ---- Devices ----------------------------------------------------------------------------------

  logic d_table_tvalid, d_table_tready, d_table_tlast, d_table_error;
  logic e_table_tvalid, e_table_tready, e_table_tlast, e_table_error;
  logic [SYMBOL_BITS+3:0] d_table_tdata, e_table_tdata;
  logic tile_tvalid = 1'b0, tile_tready;
  logic [COUNT_BITS-1:0] tile_tdata;
  logic word_tvalid = 1'b0, word_tready, word_tlast;
  logic [WORD_BITS-1:0] word_tdata;
  logic row_tvalid, row_tready, row_tlast;
  logic [ROW_BITS-1:0] row_tdata;
  logic [ROWS-1:0] row_tkeep;
  logic [1:0] row_tuser;
  logic symbol_tvalid = 1'b0, symbol_tready, symbol_tlast;
  logic [BEAT_BITS-1:0] symbol_tdata;
  logic coded_tvalid, coded_tready, coded_tlast, coded_tuser;
  logic [WORD_BITS-1:0] coded_tdata;

  huffq_tile_decoder #(
      .WORD_BITS(WORD_BITS),
      .SYMBOL_BITS(SYMBOL_BITS),
      .MAX_LENGTH(MAX_LENGTH),
      .LANES(LANES),
      .ROWS(ROWS),
      .COUNT_BITS(COUNT_BITS),
      .LOADABLE(LOADABLE),
      .LENGTHS(LENGTHS)
  ) decoder (
      .aclk,
      .aresetn,
      .s_table_tvalid(d_table_tvalid),
      .s_table_tready(d_table_tready),
      .s_table_tdata(d_table_tdata),
      .s_table_tlast(d_table_tlast),
      .table_error(d_table_error),
      .s_tile_tvalid(tile_tvalid),
      .s_tile_tready(tile_tready),
      .s_tile_tdata(tile_tdata),
      .s_word_tvalid(word_tvalid),
      .s_word_tready(word_tready),
      .s_word_tdata(word_tdata),
      .s_word_tlast(word_tlast),
      .m_row_tvalid(row_tvalid),
      .m_row_tready(row_tready),
      .m_row_tdata(row_tdata),
      .m_row_tkeep(row_tkeep),
      .m_row_tlast(row_tlast),
      .m_row_tuser(row_tuser)
  );

  huffq_encoder #(
      .WORD_BITS(WORD_BITS),
      .SYMBOL_BITS(SYMBOL_BITS),
      .MAX_LENGTH(MAX_LENGTH),
      .LANES(LANES),
      .LOADABLE(LOADABLE),
      .LENGTHS(LENGTHS)
  ) encoder (
      .aclk,
      .aresetn,
      .s_table_tvalid(e_table_tvalid),
      .s_table_tready(e_table_tready),
      .s_table_tdata(e_table_tdata),
      .s_table_tlast(e_table_tlast),
      .table_error(e_table_error),
      .s_symbol_tvalid(symbol_tvalid),
      .s_symbol_tready(symbol_tready),
      .s_symbol_tdata(symbol_tdata),
      .s_symbol_tkeep({LANES{1'b1}}),
      .s_symbol_tlast(symbol_tlast),
      .m_word_tvalid(coded_tvalid),
      .m_word_tready(coded_tready),
      .m_word_tdata(coded_tdata),
      .m_word_tlast(coded_tlast),
      .m_word_tuser(coded_tuser)
  );

  // ---- The folder -------------------------------------------------------------------------------

  // Every process reads the files for itself, at its own pace.
  string dir = "tiles";
  int tiles, tables;
  int tile_index, tile_table, word_index, word_file, row_index, row_file;
  int symbol_index, symbol_file, symbol_table, coded_index, coded_file;

  function automatic void fail(input string what);
    $display("FAIL: %s (+dir=%s)", what, dir);
    $finish;
  endfunction

  function automatic int open_file(input string name);
    open_file = $fopen({dir, "/", name}, "r");
    if (open_file == 0) fail({name, " cannot be opened"});
  endfunction

  // Lines of a file that have a bit of `mask`.
  function automatic int lines_with(input string name, input logic [LINE_BITS-1:0] mask);
    int file;
    logic [LINE_BITS-1:0] line;
    file = open_file(name);
    lines_with = 0;
    while ($fscanf(file, "%h", line) == 1) if ((line & mask) != '0) lines_with = lines_with + 1;
    $fclose(file);
  endfunction

  function automatic logic [LINE_BITS-1:0] next_line(input int file);
    logic [LINE_BITS-1:0] line;
    if ($fscanf(file, "%h", line) != 1) fail("a file ends too early");
    next_line = line;
  endfunction

  initial begin
    if ($value$plusargs("dir=%s", dir) == 0) $display("reading the folder %s", dir);
    tiles = lines_with("stream_index.memh", '1);
    tables = lines_with("code_table_load.memh", LINE_BITS'(1) << (SYMBOL_BITS + 4));
    if (tables != 1 && (tables != tiles || LOADABLE == 0)) fail("there are too few or many tables");
    tile_index = open_file("stream_index.memh");
    tile_table = open_file("code_table_load.memh");
    word_index = open_file("stream_index.memh");
    word_file = open_file("stream.memh");
    row_index = open_file("stream_index.memh");
    row_file = open_file("rows.memh");
    symbol_index = open_file("stream_index.memh");
    symbol_table = open_file("code_table_load.memh");
    symbol_file = open_file("rows.memh");
    coded_index = open_file("stream_index.memh");
    coded_file = open_file("stream.memh");
  end

  // ---- Reset and gaps ---------------------------------------------------------------------------

  // Whatever may sleep for most of the clocks is gated by a net: simulators that interpret, such as
  // Icarus, spend their time on processes that wake up.

  int stall = 64;
  int seed = 1;
  logic [63:0] random;
  logic [5:0] gap;  // one per stream
  logic running = 1'b0;

  initial begin
    if ($value$plusargs("stall=%d", stall) == 0) $display("+stall=%0d", stall);
    if ($value$plusargs("seed=%d", seed) == 0) $display("+seed=%0d", seed);
    random = 64'(seed);
    repeat (5) @(negedge aclk);
    aresetn = 1'b1;
    @(negedge aclk) running = 1'b1;
  end

  // A linear congruential generator (Knuth's MMIX): the same gaps in every simulator. Its high bits
  // are the random ones.
  always @(posedge aclk) random <= random * 64'd6364136223846793005 + 64'd1442695040888963407;

  for (genvar i = 0; i < 6; i++) begin : g_gap
    assign gap[i] = 32'(random[16+8*i+:8]) < stall;
  end

  // ---- Decoder: tables and symbol counts, words, rows -------------------------------------------

  int d_sent, e_sent;

  // Each table goes before its tile, and after the tile before has begun.
  int tiles_taken = 0;
  int tiles_offered = 0;
  longint began = 0;
  longint budget = 0;  // clocks of the decoder where nothing stalls it
  logic tile_step;
  assign tile_step = running && (!tile_tvalid || tile_tready);

  huffq_bench_table #(
      .SYMBOL_BITS(SYMBOL_BITS)
  ) decoder_table (
      .aclk,
      .running,
      .file(tile_table),
      .allowed(LOADABLE == 0 ? 0 : tiles_taken < tables ? tiles_taken + 1 : tables),
      .gap(gap[0]),
      .sent(d_sent),
      .tvalid(d_table_tvalid),
      .tready(d_table_tready),
      .tdata(d_table_tdata),
      .tlast(d_table_tlast)
  );

  always @(posedge aclk) begin : drive_tiles
    logic [127:0] entry;
    if (tile_step) begin
      if (tile_tvalid) begin
        if (tiles_taken == 0) began <= $time;
        tiles_taken <= tiles_taken + 1;
      end
      tile_tvalid <= 1'b0;
      if (!gap[0] && tiles_offered < tiles
          && (LOADABLE == 0 || tables == 1 || d_sent > tiles_offered)) begin
        entry = 128'(next_line(tile_index));
        tile_tvalid <= 1'b1;
        tile_tdata <= COUNT_BITS'(entry[31:0]);
        budget = budget + (64'(entry[31:0]) + 64'(LANES) - 1) / 64'(LANES) + 1;
        tiles_offered = tiles_offered + 1;
      end
    end
  end

  int words_at = 0;  // lines of stream.memh that have been read
  int words_end = 0;
  int words_tile = 0;
  logic word_step;
  assign word_step = running && (!word_tvalid || word_tready);

  always @(posedge aclk) begin : drive_words
    logic [127:0] entry;
    if (word_step) begin
      word_tvalid <= 1'b0;
      if (!gap[1] && (words_at < words_end || words_tile < tiles)) begin
        if (words_at == words_end) begin
          entry = 128'(next_line(word_index));
          words_tile = words_tile + 1;
          while (words_at < int'(entry[127:96])) begin
            words_at = words_at + 1;
            if (next_line(word_file) != '0) fail("a slot is not filled up with zeros");
          end
          words_end = words_at + int'(entry[95:64]);
        end
        words_at = words_at + 1;
        word_tvalid <= 1'b1;
        word_tdata <= WORD_BITS'(next_line(word_file));
        word_tlast <= words_at == words_end;
      end
    end
  end

  int rows_at = 0;  // lines of rows.memh that have been read
  int rows_left = 0;
  int rows_tile = 0;
  logic rows_done = 1'b0;
  logic row_step;
  assign row_tready = !gap[2];
  assign row_step = row_tvalid && row_tready;

  always @(posedge aclk) begin : check_rows
    logic [127:0] entry;
    logic [ROW_BITS-1:0] expected;
    longint clocks;
    if (row_step) begin
      if (rows_left == 0) begin
        entry = 128'(next_line(row_index));
        rows_tile = rows_tile + 1;
        rows_left = int'(entry[31:0]) / ROWS;
      end
      rows_left = rows_left - 1;
      rows_at = rows_at + 1;
      expected = ROW_BITS'(next_line(row_file));
      if (row_tdata !== expected || row_tkeep !== '1 || row_tuser !== '0
          || row_tlast !== (rows_left == 0)) begin
        $display("tile %0d, %0d rows from its end: %h, keep %b, last %b, user %0d; expected %h",
                 rows_tile - 1, rows_left, row_tdata, row_tkeep, row_tlast, row_tuser, expected);
        fail("a decoded row is wrong");
      end
      if (rows_left == 0 && rows_tile == tiles) begin
        clocks = ($time - began) / 64'(CLOCK);
        $display("decoded in %0d clocks; without gaps it takes %0d", clocks, budget);
        if (stall == 0 && tables == 1 && clocks > budget + 4) fail("decoding was slow");
        rows_done <= 1'b1;
      end
    end
  end

  // ---- Encoder: tables, symbols, words ----------------------------------------------------------

  int symbol_tiles = 0;  // tiles whose last symbol was taken
  int symbol_rows = 0;
  int symbol_beats = 0;
  int symbol_tile = 0;
  logic [ROW_BITS-1:0] symbol_row;
  logic symbol_step;
  assign symbol_step = running && (!symbol_tvalid || symbol_tready);

  huffq_bench_table #(
      .SYMBOL_BITS(SYMBOL_BITS)
  ) encoder_table (
      .aclk,
      .running,
      .file(symbol_table),
      .allowed(LOADABLE == 0 ? 0 : symbol_tiles < tables ? symbol_tiles + 1 : tables),
      .gap(gap[3]),
      .sent(e_sent),
      .tvalid(e_table_tvalid),
      .tready(e_table_tready),
      .tdata(e_table_tdata),
      .tlast(e_table_tlast)
  );

  always @(posedge aclk) begin : drive_symbols
    logic [127:0] entry;
    if (symbol_step) begin
      if (symbol_tvalid && symbol_tlast) symbol_tiles <= symbol_tiles + 1;
      symbol_tvalid <= 1'b0;
      if (symbol_rows == 0 && symbol_beats == 0 && symbol_tile < tiles
          && (LOADABLE == 0 || tables == 1 || e_sent > symbol_tile)) begin
        entry = 128'(next_line(symbol_index));
        symbol_tile = symbol_tile + 1;
        symbol_rows = int'(entry[31:0]) / ROWS;
      end
      if (!gap[4] && (symbol_rows != 0 || symbol_beats != 0)) begin
        if (symbol_beats == 0) begin
          symbol_row = ROW_BITS'(next_line(symbol_file));
          symbol_rows = symbol_rows - 1;
          symbol_beats = BEATS;
        end
        symbol_beats = symbol_beats - 1;
        symbol_tvalid <= 1'b1;
        symbol_tdata <= symbol_row[symbol_beats*BEAT_BITS+:BEAT_BITS];
        symbol_tlast <= symbol_rows == 0 && symbol_beats == 0;
      end
    end
  end

  int coded_at = 0;
  int coded_end = 0;
  int coded_tile = 0;
  logic words_done = 1'b0;
  logic coded_step;
  assign coded_tready = !gap[5];
  assign coded_step = coded_tvalid && coded_tready;

  always @(posedge aclk) begin : check_words
    logic [127:0] entry;
    logic [WORD_BITS-1:0] expected;
    if (coded_step) begin
      if (coded_at == coded_end) begin
        entry = 128'(next_line(coded_index));
        coded_tile = coded_tile + 1;
        while (coded_at < int'(entry[127:96])) begin
          coded_at = coded_at + 1;
          if (next_line(coded_file) != '0) fail("a slot is not filled up with zeros");
        end
        coded_end = coded_at + int'(entry[95:64]);
      end
      coded_at = coded_at + 1;
      expected = WORD_BITS'(next_line(coded_file));
      if (coded_tdata !== expected || coded_tuser !== '0
          || coded_tlast !== (coded_at == coded_end)) begin
        $display("tile %0d, %0d words from its end: %h, last %b, user %b; expected %h",
                 coded_tile - 1, coded_end - coded_at, coded_tdata, coded_tlast, coded_tuser,
                 expected);
        fail("an encoded word is wrong");
      end
      if (coded_at == coded_end && coded_tile == tiles) words_done <= 1'b1;
    end
  end

  // ---- End --------------------------------------------------------------------------------------

  always @(posedge d_table_error or posedge e_table_error) fail("a table is not canonical");

  initial begin : watchdog
    int rows_before, words_before;
    forever begin
      rows_before = rows_at;
      words_before = coded_at;
      #(100000 * CLOCK);
      if (rows_before == rows_at && words_before == coded_at) fail("nothing happens any more");
    end
  end

  initial begin
    wait (rows_done && words_done);
    $display("PASS: %0d tiles decoded and encoded", tiles);
    $finish;
  end
endmodule
