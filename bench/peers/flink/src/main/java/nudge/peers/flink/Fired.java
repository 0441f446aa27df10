package nudge.peers.flink;

/** A firing. */
public record Fired(String rule, String key, long at) {}
