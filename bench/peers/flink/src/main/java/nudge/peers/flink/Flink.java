package nudge.peers.flink;

import java.nio.file.Path;
import nudge.peers.Event;
import nudge.peers.Firings;
import nudge.peers.Peer;
import nudge.peers.Stopwatch;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Flink on a cluster of its own in this process: one source, the rules behind it with as many tasks as asked for. */
final class Flink implements Peer {
  private final Mode mode;
  private final int parallelism;

  Flink(Mode mode, int parallelism) {
    this.mode = mode;
    this.parallelism = parallelism;
  }

  @Override
  public void apply(Event[] events, Firings firings, Stopwatch stopwatch) throws Exception {
    Pass.begin(events, stopwatch);
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration());
    DataStream<Event> stream =
        env.fromSequence(0, events.length - 1)
            .setParallelism(1)
            .map(Pass::event)
            .returns(TypeInformation.of(Event.class))
            .setParallelism(1)
            .assignTimestampsAndWatermarks(
                WatermarkStrategy.<Event>forMonotonousTimestamps().withTimestampAssigner((e, none) -> e.at()))
            .setParallelism(1);
    if (mode == Mode.CEP) {
      Patterns.add(stream);
    } else {
      byHand(stream);
    }
    env.execute();
    Pass.end(firings);
  }

  private static void byHand(DataStream<Event> stream) {
    stream.keyBy(Event::visitor, Types.STRING).process(new VisitorRules()).sinkTo(new FiringSink());
    stream
        .filter(e -> e.type().equals("page_view") && e.company() != null)
        .setParallelism(1)
        .keyBy(Event::company, Types.STRING)
        .process(new CompanyRules())
        .sinkTo(new FiringSink());
  }

  private Configuration configuration() {
    boolean rocksdb = mode == Mode.ROCKSDB;
    Configuration c = new Configuration();
    c.setString("rest.port", "0");
    c.setString("taskmanager.numberOfTaskSlots", String.valueOf(parallelism));
    c.setString("taskmanager.memory.managed.size", "1g"); // RocksDB's caches
    c.setString("pipeline.object-reuse", "true");
    c.setString("pipeline.generic-types", "false");
    c.setString("state.backend.type", rocksdb ? "rocksdb" : "hashmap");
    if (rocksdb) {
      c.setString("execution.checkpointing.interval", "10 s");
      c.setString("execution.checkpointing.incremental", "true");
      c.setString("execution.checkpointing.checkpoints-after-tasks-finish", "false");
      c.setString("execution.checkpointing.dir", Path.of(System.getProperty("java.io.tmpdir"), "checkpoints").toUri().toString());
    }
    return c;
  }

  @Override
  public boolean weighable() {
    return false; // the state goes with the job
  }

  @Override
  public void forget() {}
}
