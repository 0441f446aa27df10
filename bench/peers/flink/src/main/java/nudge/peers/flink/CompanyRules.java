package nudge.peers.flink;

import nudge.peers.Event;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** R3. */
final class CompanyRules extends KeyedProcessFunction<String, Event, Fired> {
  private static final long WEEK = 7 * 86_400_000L;
  private static final int PEOPLE = 3;

  private transient ValueState<Company> state;

  @Override
  public void open(OpenContext context) {
    state = getRuntimeContext().getState(new ValueStateDescriptor<>("company", Company.class));
  }

  @Override
  public void close() {
    Pass.done();
  }

  @Override
  public void processElement(Event e, Context context, Collector<Fired> out) throws Exception {
    Company c = state.value();
    if (c == null) {
      c = new Company();
    }
    boolean before = isBusy(c, e.at());
    int from = 0;
    while (from < c.n && !c.users[from].equals(e.user())) {
      from++;
    }
    if (from == c.n) { // a new one
      c.n = Math.min(c.n + 1, PEOPLE);
      from = Math.min(from, PEOPLE - 1);
    }
    System.arraycopy(c.users, 0, c.users, 1, from);
    System.arraycopy(c.newest, 0, c.newest, 1, from);
    c.users[0] = e.user();
    c.newest[0] = e.at();
    state.update(c);
    if (!before && isBusy(c, e.at())) {
      out.collect(new Fired("r3", e.company(), e.at()));
    }
  }

  private static boolean isBusy(Company c, long at) {
    return c.n == PEOPLE && c.newest[PEOPLE - 1] > at - WEEK;
  }
}
