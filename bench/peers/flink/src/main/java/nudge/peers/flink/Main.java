package nudge.peers.flink;

import java.nio.file.Path;
import nudge.peers.Rounds;

/** Measures Flink: Main heap|rocksdb PARALLELISM EVENTS. */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    if (!args[0].equals("heap") && !args[0].equals("rocksdb")) {
      throw new IllegalArgumentException("there is no state backend " + args[0] + "; there are: heap, rocksdb");
    }
    Rounds.run(new Flink(args[0].equals("rocksdb"), Integer.parseInt(args[1])), Path.of(args[2]));
    System.exit(0); // whatever threads a cluster has left
  }
}
