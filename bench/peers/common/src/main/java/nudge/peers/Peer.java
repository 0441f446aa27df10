package nudge.peers;

/** An engine with the rules of the workload. */
public interface Peer {
  /** Makes of the events what apply wants to have, once, before anything is measured. */
  default void prepare(Event[] events) {}

  /**
   * Applies all events to state that is new, and keeps the state until {@link #forget}. The stopwatch is started at the first event and stopped behind the last
   * firing: neither what comes before nor after that is measured.
   */
  void apply(Event[] events, Firings firings, Stopwatch stopwatch) throws Exception;

  /** Whether the state is on the heap, and still there when apply has returned. */
  boolean weighable();

  /** Gives the state up. */
  void forget() throws Exception;
}
