package nudge.peers.esper;

import com.espertech.esper.common.client.EPCompiled;
import com.espertech.esper.common.client.EventBean;
import com.espertech.esper.common.client.configuration.Configuration;
import com.espertech.esper.compiler.client.CompilerArguments;
import com.espertech.esper.compiler.client.EPCompilerProvider;
import com.espertech.esper.common.client.EventSender;
import com.espertech.esper.runtime.client.EPRuntime;
import com.espertech.esper.runtime.client.EPEventService;
import com.espertech.esper.runtime.client.EPRuntimeProvider;
import com.espertech.esper.runtime.client.EPStatement;
import com.espertech.esper.runtime.client.UpdateListener;
import nudge.peers.Event;
import nudge.peers.Firings;
import nudge.peers.Peer;
import nudge.peers.Stopwatch;

/** Esper on the caller's thread, its clock that of the events. */
final class Esper implements Peer {
  private static final Class<?>[] TYPES = {Events.PageView.class, Events.FormView.class, Events.Leave.class, Events.ReportCreated.class, Events.Other.class};

  private final Configuration configuration = configuration();
  private final EPCompiled compiled;
  private EPRuntime runtime; // of the newest apply
  private Object[] beans; // the events

  Esper(String rules) throws Exception {
    compiled = EPCompilerProvider.getCompiler().compile(rules, new CompilerArguments(configuration));
  }

  /** Everything that costs time and is not asked for is off. */
  private static Configuration configuration() {
    Configuration c = new Configuration();
    for (Class<?> type : TYPES) {
      c.getCommon().addEventType(type.getSimpleName(), type);
    }
    c.getRuntime().getThreading().setInternalTimerEnabled(false);
    c.getRuntime().getThreading().setListenerDispatchPreserveOrder(false);
    c.getRuntime().getThreading().setInsertIntoDispatchPreserveOrder(false);
    c.getRuntime().getThreading().setNamedWindowConsumerDispatchPreserveOrder(false);
    return c;
  }

  @Override
  public void prepare(Event[] events) {
    beans = Events.of(events);
  }

  @Override
  public void apply(Event[] events, Firings firings, Stopwatch stopwatch) throws Exception {
    runtime = EPRuntimeProvider.getRuntime("nudge", configuration);
    runtime.initialize();
    EPEventService service = runtime.getEventService();
    service.advanceTime(events[0].at() - 1);
    for (EPStatement s : runtime.getDeploymentService().deploy(compiled).getStatements()) {
      listen(s, firings);
    }
    EventSender[] senders = new EventSender[TYPES.length];
    for (int i = 0; i < senders.length; i++) {
      senders[i] = service.getEventSender(TYPES[i].getSimpleName());
    }
    int[] senderOf = new int[beans.length];
    for (int i = 0; i < senderOf.length; i++) {
      while (TYPES[senderOf[i]] != beans[i].getClass()) {
        senderOf[i]++;
      }
    }

    stopwatch.start();
    for (int i = 0; i < beans.length; i++) {
      service.advanceTime(events[i].at());
      senders[senderOf[i]].sendEvent(beans[i]);
    }
    stopwatch.stop();
  }

  private static void listen(EPStatement s, Firings firings) {
    String rule = s.getName();
    if (rule.matches("r\\d")) {
      UpdateListener rising =
          (now, before, statement, runtime) -> {
            if (now == null) {
              return;
            }
            for (EventBean e : now) {
              String key = (String) e.get("key");
              if (!holds(before, key)) {
                firings.add(rule, key, (Long) e.get("at"));
              }
            }
          };
      s.addListener(rising);
    }
  }

  private static boolean holds(EventBean[] rows, String key) {
    if (rows != null) {
      for (EventBean r : rows) {
        if (key.equals(r.get("key"))) {
          return true;
        }
      }
    }
    return false;
  }

  @Override
  public boolean weighable() {
    return true;
  }

  @Override
  public void forget() throws Exception {
    runtime.getDeploymentService().undeployAll();
    runtime.destroy();
    runtime = null;
  }
}
