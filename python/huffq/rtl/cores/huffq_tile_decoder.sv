// Words in, rows out: huffq_decoder and huffq_rows, for the port of a systolic array.
module huffq_tile_decoder #(
    parameter int WORD_BITS = 32,
    parameter int SYMBOL_BITS = 4,
    parameter int MAX_LENGTH = 12,
    parameter int LANES = 1,
    parameter int ROWS = 8,
    parameter int COUNT_BITS = 16,
    parameter int LOADABLE = 1,
    parameter bit [4*2**SYMBOL_BITS-1:0] LENGTHS = '0
) (
    input  logic                        aclk,
    input  logic                        aresetn,
    input  logic                        s_table_tvalid,
    output logic                        s_table_tready,
    input  logic [     SYMBOL_BITS+3:0] s_table_tdata,
    input  logic                        s_table_tlast,
    output logic                        table_error,
    input  logic                        s_tile_tvalid,
    output logic                        s_tile_tready,
    input  logic [      COUNT_BITS-1:0] s_tile_tdata,
    input  logic                        s_word_tvalid,
    output logic                        s_word_tready,
    input  logic [       WORD_BITS-1:0] s_word_tdata,
    input  logic                        s_word_tlast,
    output logic                        m_row_tvalid,
    input  logic                        m_row_tready,
    output logic [ROWS*SYMBOL_BITS-1:0] m_row_tdata,
    output logic [            ROWS-1:0] m_row_tkeep,
    output logic                        m_row_tlast,
    output logic [                 1:0] m_row_tuser
);
  logic symbol_tvalid, symbol_tready, symbol_tlast;
  logic [LANES*SYMBOL_BITS-1:0] symbol_tdata;
  logic [LANES-1:0] symbol_tkeep;
  logic [1:0] symbol_tuser;

  huffq_decoder #(
      .WORD_BITS(WORD_BITS),
      .SYMBOL_BITS(SYMBOL_BITS),
      .MAX_LENGTH(MAX_LENGTH),
      .LANES(LANES),
      .COUNT_BITS(COUNT_BITS),
      .LOADABLE(LOADABLE),
      .LENGTHS(LENGTHS)
  ) decoder (
      .aclk,
      .aresetn,
      .s_table_tvalid,
      .s_table_tready,
      .s_table_tdata,
      .s_table_tlast,
      .table_error,
      .s_tile_tvalid,
      .s_tile_tready,
      .s_tile_tdata,
      .s_word_tvalid,
      .s_word_tready,
      .s_word_tdata,
      .s_word_tlast,
      .m_symbol_tvalid(symbol_tvalid),
      .m_symbol_tready(symbol_tready),
      .m_symbol_tdata(symbol_tdata),
      .m_symbol_tkeep(symbol_tkeep),
      .m_symbol_tlast(symbol_tlast),
      .m_symbol_tuser(symbol_tuser)
  );

  huffq_rows #(
      .SYMBOL_BITS(SYMBOL_BITS),
      .LANES(LANES),
      .ROWS(ROWS)
  ) assembly (
      .aclk,
      .aresetn,
      .s_symbol_tvalid(symbol_tvalid),
      .s_symbol_tready(symbol_tready),
      .s_symbol_tdata(symbol_tdata),
      .s_symbol_tkeep(symbol_tkeep),
      .s_symbol_tlast(symbol_tlast),
      .s_symbol_tuser(symbol_tuser),
      .m_row_tvalid,
      .m_row_tready,
      .m_row_tdata,
      .m_row_tkeep,
      .m_row_tlast,
      .m_row_tuser
  );
endmodule
