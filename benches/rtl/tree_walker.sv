// The decoder that huffq_decoder is measured against: one bit a clock, from node to node of the
// code's tree. Same streams, same errors and the same registered output, and counts from 1; a symbol
// takes as many clocks as its codeword has bits.
//
// The tree is a memory of nodes, each two children {leaf, number}: a leaf's number is its symbol, an
// inner child's the number of its node, and an inner child 0, the root, is a codeword that does not
// exist. Loaded node by node, or built in from LENGTHS.
module tree_walker #(
    parameter int WORD_BITS = 32,
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter int COUNT_BITS = 16,
    parameter int LOADABLE = 1,
    parameter bit [4*2**SYMBOL_BITS-1:0] LENGTHS = '0
) (
    input  logic                     aclk,
    input  logic                     aresetn,
    input  logic                     s_table_tvalid,  // nodes, from the root on
    output logic                     s_table_tready,
    input  logic [2*SYMBOL_BITS+1:0] s_table_tdata,
    input  logic                     s_table_tlast,
    input  logic                     s_tile_tvalid,
    output logic                     s_tile_tready,
    input  logic [   COUNT_BITS-1:0] s_tile_tdata,
    input  logic                     s_word_tvalid,
    output logic                     s_word_tready,
    input  logic [    WORD_BITS-1:0] s_word_tdata,
    input  logic                     s_word_tlast,
    output logic                     m_symbol_tvalid,
    input  logic                     m_symbol_tready,
    output logic [  SYMBOL_BITS-1:0] m_symbol_tdata,
    output logic                     m_symbol_tkeep,
    output logic                     m_symbol_tlast,
    output logic [              1:0] m_symbol_tuser
);
  localparam int CHILD = SYMBOL_BITS + 1;
  localparam int NODES = 2 ** SYMBOL_BITS;
  localparam logic [1:0] OK = 2'd0, NO_CODEWORD = 2'd1, ENDED_EARLY = 2'd2, WORDS_LEFT = 2'd3;

  function automatic [NODES*2*CHILD-1:0] fixed_nodes();
    int filled, node, free, bit_here;
    fixed_nodes = '0;
    filled = 0;
    free = 1;
    for (int l = 1; l <= MAX_LENGTH; l++) begin
      for (int s = 0; s < NODES; s++) begin
        if (LENGTHS[4*s+:4] == 4'(l)) begin
          node = 0;
          for (int b = 1; b <= l; b++) begin
            bit_here = (filled >> (MAX_LENGTH - b)) & 1;
            if (b == l) begin
              fixed_nodes[(2*node+bit_here)*CHILD+:CHILD] = {1'b1, SYMBOL_BITS'(s)};
            end else begin
              if (fixed_nodes[(2*node+bit_here)*CHILD+:CHILD] == '0) begin
                fixed_nodes[(2*node+bit_here)*CHILD+:CHILD] = CHILD'(free);
                free = free + 1;
              end
              node = 32'(fixed_nodes[(2*node+bit_here)*CHILD+:CHILD]);
            end
          end
          filled = filled + (1 << (MAX_LENGTH - l));
        end
      end
    end
  endfunction

  // ---- Tree -------------------------------------------------------------------------------------

  logic running, table_ready, load;
  logic [NODES*2*CHILD-1:0] nodes;

  if (LOADABLE != 0) begin : g_loadable
    logic [SYMBOL_BITS-1:0] at;
    always_ff @(posedge aclk) begin
      if (!aresetn) begin
        at <= '0;
        table_ready <= 1'b0;
      end else if (load) begin
        at <= s_table_tlast ? '0 : at + 1'b1;
        table_ready <= s_table_tlast;
      end
    end
    for (genvar n = 0; n < NODES; n++) begin : g_node
      logic [2*CHILD-1:0] node_here;
      always_ff @(posedge aclk) if (load && at == SYMBOL_BITS'(n)) node_here <= s_table_tdata;
      assign nodes[n*2*CHILD+:2*CHILD] = node_here;
    end
  end else begin : g_fixed
    localparam bit [NODES*2*CHILD-1:0] TREE = fixed_nodes();
    assign nodes = TREE;
    assign table_ready = 1'b1;
  end

  // ---- Words, shifted out bit by bit; the next word waits beside ----------------------------------

  localparam int LEFT_BITS = $clog2(WORD_BITS + 1);
  logic [WORD_BITS-1:0] word, waiting;
  logic [LEFT_BITS-1:0] bits_left;
  logic word_last, waiting_valid, waiting_last, refill, step, drop;

  assign s_word_tready = !waiting_valid;
  assign refill = waiting_valid && (bits_left == '0 || (step && bits_left == 1) || drop)
      && !(running && (word_last ? !drop : finish));

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      waiting_valid <= 1'b0;
      bits_left <= '0;
      word_last <= 1'b0;
    end else begin
      if (s_word_tvalid && s_word_tready) waiting_valid <= 1'b1;
      else if (refill) waiting_valid <= 1'b0;
      if (refill) begin
        bits_left <= skipping ? '0 : LEFT_BITS'(WORD_BITS);
        word_last <= waiting_last && !skipping;
      end else if (drop) begin
        bits_left <= '0;
        word_last <= 1'b0;
      end else if (step) bits_left <= bits_left - 1'b1;
    end
    if (s_word_tready) begin
      waiting <= s_word_tdata;
      waiting_last <= s_word_tlast;
    end
    if (refill) word <= waiting;
    else if (step) word <= word << 1;
  end

  // ---- Walk -------------------------------------------------------------------------------------

  logic [COUNT_BITS-1:0] left;
  logic [SYMBOL_BITS-1:0] node;
  logic [CHILD-1:0] child;
  logic skipping, leaf, missing, early, finish, emit;

  assign child = nodes[(2*node+32'(word[WORD_BITS-1]))*CHILD+:CHILD];
  assign emit = !m_symbol_tvalid || m_symbol_tready;
  assign step = running && bits_left != '0 && emit;
  assign leaf = child[SYMBOL_BITS];
  assign missing = child == '0;
  assign early = running && bits_left == '0 && word_last && emit;
  assign finish = early || (step && (missing || (leaf && left == 1)));
  assign drop = (finish && word_last) || skipping;

  assign load = s_table_tvalid && s_table_tready;
  assign s_table_tready = LOADABLE != 0 && !running && !skipping;
  assign s_tile_tready = !running && !skipping && table_ready && !(LOADABLE != 0 && s_table_tvalid);

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      running <= 1'b0;
      skipping <= 1'b0;
      m_symbol_tvalid <= 1'b0;
    end else begin
      if (s_tile_tvalid && s_tile_tready) running <= 1'b1;
      else if (finish) running <= 1'b0;
      if (finish) skipping <= !word_last;
      else if (refill && waiting_last) skipping <= 1'b0;
      if (emit) m_symbol_tvalid <= finish || (step && leaf);
    end
    if (s_tile_tvalid && s_tile_tready) begin
      left <= s_tile_tdata;
      node <= '0;
    end else if (step) begin
      left <= leaf ? left - 1'b1 : left;
      node <= leaf ? '0 : child[SYMBOL_BITS-1:0];
    end
    if (emit) begin
      m_symbol_tdata <= child[SYMBOL_BITS-1:0];
      m_symbol_tkeep <= step && leaf;
      m_symbol_tlast <= finish;
      m_symbol_tuser <= early ? ENDED_EARLY : !finish ? OK : missing ? NO_CODEWORD
          : word_last ? OK : WORDS_LEFT;
    end
  end
endmodule
