package nudge.peers.flink;

/** What R3 remembers of a company: its newest three users, newest first. */
public final class Company {
  public String[] users = {"", "", ""};
  public long[] newest = new long[3];
  public int n;
}
