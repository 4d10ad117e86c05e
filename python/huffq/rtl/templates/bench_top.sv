// The bench with the parameters of this folder.
module bench_top;
  huffq_bench #(
      $ASSIGNMENTS
  ) bench ();
endmodule
