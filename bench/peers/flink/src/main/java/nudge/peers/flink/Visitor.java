package nudge.peers.flink;

/** What the rules remember of a visitor. */
public final class Visitor {
  public boolean open; // R1: a wait, since opened
  public boolean pulsed; // R1: and not left since
  public long opened;
  public boolean waiting; // R6: since waited
  public long waited;
  public boolean priced; // R4: the newest view of a price
  public long price;
  public long[] views = new long[0]; // R2: the newest times, a ring once there are enough
  public int oldest; // R2: of views
  public long[] days = new long[3]; // R2: the newest days, newest first
  public long[] newest = new long[3]; // R2: the newest view of each
  public int nDays;
  public long[] prices = new long[3]; // R5: the newest times, newest first
  public int nPrices;
}
