package nudge.peers.flink;

import java.nio.file.Path;
import nudge.peers.Rounds;

/** Measures Flink: Main heap|rocksdb|cep PARALLELISM EVENTS. */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    Rounds.run(new Flink(Mode.of(args[0]), Integer.parseInt(args[1])), Path.of(args[2]));
    System.exit(0); // whatever threads a cluster has left
  }
}
