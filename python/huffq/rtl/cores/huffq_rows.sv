// Assembles the rows of a systolic array from decoded symbols: the first symbol of a row, that of
// the highest channel, goes leftmost, as in a tile's text files.
//
// The beats of a row are a whole number (LANES divides ROWS). A tile that ends within a row, after
// a fault, ends with a row whose missing channels are zero and low in tkeep.
module huffq_rows #(
    parameter int SYMBOL_BITS = 4,
    parameter int LANES = 1,
    parameter int ROWS = 8
) (
    input  logic                         aclk,
    input  logic                         aresetn,
    // Symbols, as huffq_decoder gives them: zero where tkeep is low.
    input  logic                         s_symbol_tvalid,
    output logic                         s_symbol_tready,
    input  logic [LANES*SYMBOL_BITS-1:0] s_symbol_tdata,
    input  logic [            LANES-1:0] s_symbol_tkeep,
    input  logic                         s_symbol_tlast,
    input  logic [                  1:0] s_symbol_tuser,
    // Rows, one beat each; tlast and tuser as above.
    output logic                         m_row_tvalid,
    input  logic                         m_row_tready,
    output logic [ ROWS*SYMBOL_BITS-1:0] m_row_tdata,
    output logic [             ROWS-1:0] m_row_tkeep,
    output logic                         m_row_tlast,
    output logic [                  1:0] m_row_tuser
);
  localparam int BEATS = ROWS / LANES;
  localparam int BEAT_BITS = LANES * SYMBOL_BITS;

  if (BEATS * LANES != ROWS) begin : g_check
    huffq_rows_must_be_a_multiple_of_lanes stop ();
  end

  logic [BEATS-1:0] here;  // one-hot: where the next beat goes, leftmost first
  logic [ROWS*SYMBOL_BITS-1:0] row, merged;
  logic [ROWS-1:0] keep, merged_keep;
  logic accept, complete;

  assign s_symbol_tready = !m_row_tvalid || m_row_tready;
  assign accept = s_symbol_tvalid && s_symbol_tready;
  assign complete = here[0] || s_symbol_tlast;

  for (genvar b = 0; b < BEATS; b++) begin : g_beat
    assign merged[b*BEAT_BITS+:BEAT_BITS] = row[b*BEAT_BITS+:BEAT_BITS]
        | (here[b] ? s_symbol_tdata : '0);
    assign merged_keep[b*LANES+:LANES] = keep[b*LANES+:LANES] | (here[b] ? s_symbol_tkeep : '0);
  end

  always_ff @(posedge aclk) begin
    if (!aresetn || (accept && complete)) begin
      here <= BEATS'(1) << (BEATS - 1);
      row <= '0;
      keep <= '0;
    end else if (accept) begin
      here <= here >> 1;
      row <= merged;
      keep <= merged_keep;
    end

    if (!aresetn) m_row_tvalid <= 1'b0;
    else if (s_symbol_tready) m_row_tvalid <= accept && complete;
    if (accept && complete) begin
      m_row_tdata <= merged;
      m_row_tkeep <= merged_keep;
      m_row_tlast <= s_symbol_tlast;
      m_row_tuser <= s_symbol_tuser;
    end
  end
endmodule
