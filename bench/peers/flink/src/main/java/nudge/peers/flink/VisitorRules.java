package nudge.peers.flink;

import java.util.Arrays;
import nudge.peers.Event;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * R1, R2, R4, R5 and R6 in one function with one state. Watermarks come by the wall clock, so that an event may be here before the timers due before it: each
 * event looks at the deadlines itself, and a timer that finds nothing open does nothing.
 */
final class VisitorRules extends KeyedProcessFunction<String, Event, Fired> {
  private static final long SECOND = 1000;
  private static final long DAY = 86_400 * SECOND;
  private static final long DWELL = 20 * SECOND;
  private static final long SOON = 1800 * SECOND;
  private static final long ABSENCE = 3 * DAY;
  private static final long WEEK = 7 * DAY;
  private static final long MONTH = 30 * DAY;
  private static final int VIEWS = 20;

  private transient ValueState<Visitor> state;
  private transient long last;

  @Override
  public void open(OpenContext context) {
    state = getRuntimeContext().getState(new ValueStateDescriptor<>("visitor", Visitor.class));
    last = Pass.last();
  }

  @Override
  public void close() {
    Pass.done();
  }

  @Override
  public void processElement(Event e, Context context, Collector<Fired> out) throws Exception {
    Visitor v = state.value();
    if (v == null) {
      v = new Visitor();
    }
    boolean fired = due(v, e.visitor(), e.at(), out);
    switch (e.type()) {
      case "page_view" -> {
        v.waiting = false;
        engaged(v, e, out);
        if (e.pricing()) {
          v.priced = true;
          v.price = e.at();
          prices(v, e, out);
        }
      }
      case "form_view" -> {
        if (e.demo()) {
          demo(v, e, context, out);
        }
      }
      case "page_leave" -> {
        v.open = false;
        v.pulsed = false;
      }
      case "report_created" -> {
        if (!v.waiting) {
          v.waiting = true;
          v.waited = e.at();
          context.timerService().registerEventTimeTimer(e.at() + ABSENCE);
        }
      }
      default -> {
        if (!fired) {
          return; // nothing has changed
        }
      }
    }
    state.update(v);
  }

  @Override
  public void onTimer(long at, OnTimerContext context, Collector<Fired> out) throws Exception {
    Visitor v = state.value();
    if (at <= last && v != null && due(v, context.getCurrentKey(), at, out)) {
      state.update(v);
    }
  }

  /** Fires what is due at or before an instant, and says whether anything was. */
  private static boolean due(Visitor v, String key, long at, Collector<Fired> out) {
    boolean dwelt = v.open && v.opened + DWELL <= at;
    boolean absent = v.waiting && v.waited + ABSENCE <= at;
    if (dwelt) {
      v.open = false;
      v.pulsed = true;
      out.collect(new Fired("r1", key, v.opened + DWELL));
    }
    if (absent) {
      v.waiting = false;
      out.collect(new Fired("r6", key, v.waited + ABSENCE));
    }
    return dwelt || absent;
  }

  /** R1 and the end of R4. */
  private static void demo(Visitor v, Event e, Context context, Collector<Fired> out) {
    if (!v.open && !v.pulsed) {
      v.open = true;
      v.opened = e.at();
      context.timerService().registerEventTimeTimer(e.at() + DWELL);
    }
    if (v.priced && e.at() - v.price < SOON) {
      v.priced = false;
      out.collect(new Fired("r4", e.visitor(), e.at()));
    }
  }

  /** R2. */
  private static void engaged(Visitor v, Event e, Collector<Fired> out) {
    boolean before = isEngaged(v, e.at());
    if (v.views.length < VIEWS) {
      v.views = Arrays.copyOf(v.views, v.views.length + 1);
      v.views[v.views.length - 1] = e.at();
    } else {
      v.views[v.oldest] = e.at();
      v.oldest = (v.oldest + 1) % VIEWS;
    }
    long today = e.at() / DAY;
    if (v.nDays == 0 || v.days[0] != today) {
      push(v.days, today);
      push(v.newest, 0);
      v.nDays = Math.min(v.nDays + 1, 3);
    }
    v.newest[0] = e.at();
    if (!before && isEngaged(v, e.at())) {
      out.collect(new Fired("r2", e.visitor(), e.at()));
    }
  }

  private static boolean isEngaged(Visitor v, long at) {
    return v.views.length == VIEWS && v.views[v.oldest] > at - MONTH && v.nDays == 3 && v.newest[2] > at - MONTH;
  }

  /** R5. */
  private static void prices(Visitor v, Event e, Collector<Fired> out) {
    boolean before = v.nPrices == 3 && v.prices[2] > e.at() - WEEK;
    push(v.prices, e.at());
    v.nPrices = Math.min(v.nPrices + 1, 3);
    if (!before && v.nPrices == 3 && v.prices[2] > e.at() - WEEK) {
      out.collect(new Fired("r5", e.visitor(), e.at()));
    }
  }

  /** Puts a value in front; the last one goes. */
  private static void push(long[] values, long value) {
    System.arraycopy(values, 0, values, 1, values.length - 1);
    values[0] = value;
  }
}
