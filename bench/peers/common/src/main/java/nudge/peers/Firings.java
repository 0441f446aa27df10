package nudge.peers;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What fired, in any order. Not for several threads. */
public final class Firings {
  private record Firing(String rule, String key, long at) {}

  private final List<Firing> all = new ArrayList<>();

  public void add(String rule, String key, long at) {
    all.add(new Firing(rule, key, at));
  }

  public void addAll(Firings others) {
    all.addAll(others.all);
  }

  public int size() {
    return all.size();
  }

  /** Writes a line a firing: rule, key and instant, separated by tabs. */
  public void write(Path file) throws IOException {
    try (BufferedWriter out = Files.newBufferedWriter(file, StandardCharsets.UTF_8)) {
      for (Firing f : all) {
        out.write(f.rule + "\t" + f.key + "\t" + f.at + "\n");
      }
    }
  }
}
