package nudge.peers;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * An event of the workload, decoded. Its texts are its own, as if they had just come in: no two events share one. A text that the event lacks is null.
 */
public record Event(long at, String type, String visitor, String user, String company, String path, String form) {
  private static final int FIELDS = 7;

  /** Reads the file that {@code nudge bench} writes: a line an event, fields separated by tabs, in the order of the record's. */
  public static Event[] read(Path file) throws IOException {
    List<Event> events = new ArrayList<>();
    try (BufferedReader in = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] f = line.split("\t", -1);
        if (f.length != FIELDS) {
          throw new IOException(file + ", line " + (events.size() + 1) + ": " + f.length + " fields, want " + FIELDS);
        }
        events.add(new Event(Long.parseLong(f[0]), f[1].intern(), given(f[2]), given(f[3]), given(f[4]), given(f[5]), given(f[6])));
      }
    }
    return events.toArray(new Event[0]);
  }

  private static String given(String field) {
    return field.isEmpty() ? null : field;
  }

  /** Whether it is a page view under /pricing. */
  public boolean pricing() {
    return path != null && path.startsWith("/pricing");
  }

  /** Whether it is about the demo form. */
  public boolean demo() {
    return "demo".equals(form);
  }
}
