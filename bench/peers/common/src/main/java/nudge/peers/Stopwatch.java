package nudge.peers;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/** What one pass takes, by the clock and of the processors: all threads of the process count. For several threads. */
public final class Stopwatch {
  private static final OperatingSystemMXBean PROCESS = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private long began;
  private long cpuBegan;
  private long nanos;
  private long cpuNanos;

  /** The first event is here. */
  public synchronized void start() {
    cpuBegan = PROCESS.getProcessCpuTime();
    began = System.nanoTime();
  }

  /** All is done, as far as the caller knows: the last call counts. */
  public synchronized void stop() {
    nanos = System.nanoTime() - began;
    cpuNanos = PROCESS.getProcessCpuTime() - cpuBegan;
  }

  synchronized long nanos() {
    return nanos;
  }

  synchronized long cpuNanos() {
    return cpuNanos;
  }
}
