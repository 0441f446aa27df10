package nudge.peers.flink;

import nudge.peers.Event;
import nudge.peers.Firings;
import nudge.peers.Stopwatch;

/** Pass is what the tasks of one pass share: they are serialised into a cluster, but that lies in this process. */
final class Pass {
  private static Event[] events;
  private static Stopwatch stopwatch;
  private static Firings firings;

  private Pass() {}

  static synchronized void begin(Event[] all, Stopwatch watch) {
    events = all;
    firings = new Firings();
    stopwatch = watch;
  }

  /** The source. */
  static Event event(long i) {
    if (i == 0) {
      stopwatch.start();
    }
    return events[(int) i];
  }

  /** The instant of the last event: what is due later does not fire. */
  static long last() {
    return events[events.length - 1].at();
  }

  /** A task has seen its last event. */
  static void done() {
    stopwatch.stop();
  }

  static synchronized void add(Firings some) {
    firings.addAll(some);
  }

  static synchronized void end(Firings into) {
    into.addAll(firings);
  }
}
