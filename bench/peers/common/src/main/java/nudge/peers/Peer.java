package nudge.peers;

/** An engine with the rules of the workload. */
public interface Peer {
  /**
   * Applies all events to state that is new, and keeps the state until {@link #forget}.
   *
   * @return how long that took from the first event to the last firing, in nanoseconds: neither what comes before nor after it
   */
  long apply(Event[] events, Firings firings) throws Exception;

  /** Whether the state is on the heap, and still there when apply has returned. */
  boolean weighable();

  /** Gives the state up. */
  void forget() throws Exception;
}
