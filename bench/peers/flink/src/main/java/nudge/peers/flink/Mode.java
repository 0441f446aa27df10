package nudge.peers.flink;

import java.util.Arrays;
import java.util.Locale;

/** How the rules are written, and where their state is. */
enum Mode {
  /** By hand, on the heap. */
  HEAP,
  /** By hand, in RocksDB. */
  ROCKSDB,
  /** Two of them as patterns, on the heap. */
  CEP;

  static Mode of(String word) {
    return Arrays.stream(values())
        .filter(m -> m.word().equals(word))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("there is no mode " + word + "; there are: heap, rocksdb, cep"));
  }

  private String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
