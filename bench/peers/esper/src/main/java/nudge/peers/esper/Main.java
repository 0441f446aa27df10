package nudge.peers.esper;

import java.nio.file.Path;
import nudge.peers.Rounds;

/** Measures Esper: Main exact|textbook EVENTS. */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    Rounds.run(
        switch (args[0]) {
          case "exact" -> new Esper(Rules.EXACT);
          case "textbook" -> new Esper(Rules.TEXTBOOK);
          default -> throw new IllegalArgumentException("there are no rules " + args[0] + "; there are: exact, textbook");
        },
        Path.of(args[1]));
  }
}
