package nudge.peers;

import com.sun.management.OperatingSystemMXBean;
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
  private final OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private Rounds(Peer peer, Event[] events) {
    this.peer = peer;
    this.events = events;
  }

  public static void run(Peer peer, Path file) throws Exception {
    PrintStream answers = System.out;
    System.setOut(System.err); // libraries that print do not answer
    Event[] events = Event.read(file);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    answers.println("ready " + events.length);
    Rounds rounds = new Rounds(peer, events);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ", 2);
      if (!words[0].equals("apply")) {
        throw new IllegalArgumentException("asked for " + line + ", which is not apply");
      }
      answers.println(rounds.apply(words.length > 1 ? Path.of(words[1]) : null));
    }
  }

  private String apply(Path file) throws Exception {
    long before = peer.weighable() ? heap() : 0;
    Firings firings = new Firings();
    long cpu = process.getProcessCpuTime();
    long nanos = peer.apply(events, firings);
    cpu = process.getProcessCpuTime() - cpu;
    int count = firings.size();
    if (file != null) {
      firings.write(file);
    }
    firings = null; // not weighed
    long state = peer.weighable() ? Math.max(heap() - before, 0) : -1;
    peer.forget();
    return "applied " + nanos + " " + cpu + " " + count + " " + state;
  }

  private static long heap() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }
}
