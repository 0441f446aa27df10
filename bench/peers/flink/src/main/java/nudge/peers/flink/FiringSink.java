package nudge.peers.flink;

import nudge.peers.Firings;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/** Collects what fires, each task its own. */
final class FiringSink implements Sink<Fired> {
  @Override
  public SinkWriter<Fired> createWriter(WriterInitContext context) {
    Firings mine = new Firings();
    return new SinkWriter<>() {
      @Override
      public void write(Fired f, Context context) {
        mine.add(f.rule(), f.key(), f.at());
      }

      @Override
      public void flush(boolean endOfInput) {}

      @Override
      public void close() {
        Pass.add(mine);
      }
    };
  }
}
