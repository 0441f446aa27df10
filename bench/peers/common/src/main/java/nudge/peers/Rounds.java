package nudge.peers;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Rounds measures a peer as often as it is told to, over standard input and output, so that its rounds take turns with those of other processes:
 *
 * <pre>
 * ready EVENTS                             once, when the events are in memory
 * apply [FILE]                             asked: apply all events once; FILE takes the firings
 * applied NANOS CPU_NANOS FIRINGS HEAP     answered; the state's bytes on the heap, -1 where they cannot be told
 * </pre>
 *
 * It ends at the end of its input.
 */
public final class Rounds {
  private final Peer peer;
  private final Event[] events;
  private final long empty; // the heap's bytes before there was any state

  private Rounds(Peer peer, Event[] events) {
    this.peer = peer;
    this.events = events;
    peer.prepare(events);
    empty = heap();
  }

  public static void run(Peer peer, Path file) throws Exception {
    PrintStream answers = System.out;
    System.setOut(System.err); // libraries that print do not answer
    Event[] events = Event.read(file);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Rounds rounds = new Rounds(peer, events);
    answers.println("ready " + events.length);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ", 2);
      if (!words[0].equals("apply")) {
        throw new IllegalArgumentException("asked for " + line + ", which is not apply");
      }
      answers.println(rounds.apply(words.length > 1 ? Path.of(words[1]) : null));
    }
  }

  private String apply(Path file) throws Exception {
    Firings firings = new Firings();
    Stopwatch took = new Stopwatch();
    peer.apply(events, firings, took);
    int count = firings.size();
    if (file != null) {
      firings.write(file);
    }
    firings = null; // not weighed
    long state = peer.weighable() ? heap() - empty : -1;
    peer.forget();
    return "applied " + took.nanos() + " " + took.cpuNanos() + " " + count + " " + state;
  }

  private static long heap() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }
}
