package nudge.peers.flink;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import nudge.peers.Event;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.util.Collector;

/**
 * R1 and R4 in the pattern language of Flink's CEP. Each pattern is given only the events that it speaks of: what it ignores would cost it a place in its buffer.
 */
final class Patterns {
  private static final Duration DWELL = Duration.ofSeconds(20);
  private static final Duration SOON = Duration.ofMinutes(30);

  private Patterns() {}

  static void add(DataStream<Event> stream) {
    find(stream.filter(e -> demoForm(e) || leave(e)), dwell(), "r1", DWELL.toMillis());
    find(stream.filter(e -> e.pricing() || demoForm(e)), sequence(), "r4", 0);
  }

  /** R1: the demo form, and no leave for 20 s. */
  private static Pattern<Event, ?> dwell() {
    return Pattern.<Event>begin("last", AfterMatchSkipStrategy.skipPastLastEvent())
        .where(SimpleCondition.of(Patterns::demoForm))
        .notFollowedBy("left")
        .where(SimpleCondition.of(Patterns::leave))
        .within(DWELL);
  }

  /** R4: a view of a price, and then the demo form within half an hour. */
  private static Pattern<Event, ?> sequence() {
    return Pattern.<Event>begin("price", AfterMatchSkipStrategy.skipPastLastEvent())
        .where(SimpleCondition.of(Event::pricing))
        .followedBy("last")
        .where(SimpleCondition.of(Patterns::demoForm))
        .within(SOON);
  }

  private static boolean demoForm(Event e) {
    return e.type().equals("form_view") && e.demo();
  }

  private static boolean leave(Event e) {
    return e.type().equals("page_leave");
  }

  private static void find(DataStream<Event> some, Pattern<Event, ?> pattern, String rule, long later) {
    CEP.pattern(some.keyBy(Event::visitor, Types.STRING), pattern).process(new Matches(rule, later)).sinkTo(new FiringSink());
  }

  /** Fires for each match, so much later than its last event. */
  private static final class Matches extends PatternProcessFunction<Event, Fired> {
    private final String rule;
    private final long later;

    Matches(String rule, long later) {
      this.rule = rule;
      this.later = later;
    }

    @Override
    public void processMatch(Map<String, List<Event>> match, Context context, Collector<Fired> out) {
      Event last = match.get("last").get(0);
      if (last.at() + later <= Pass.last()) {
        out.collect(new Fired(rule, last.visitor(), last.at() + later));
      }
    }

    @Override
    public void close() {
      Pass.done();
    }
  }
}
