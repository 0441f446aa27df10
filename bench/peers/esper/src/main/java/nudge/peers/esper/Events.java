package nudge.peers.esper;

import nudge.peers.Event;

/** Events as Esper knows them: a class for each type that a rule names, with a getter for each field that one reads. */
final class Events {
  private static final long DAY = 86_400_000;

  private Events() {}

  /** Makes Esper's events of the workload's, once, before anything is measured. */
  static Object[] of(Event[] events) {
    Object[] all = new Object[events.length];
    for (int i = 0; i < all.length; i++) {
      all[i] = of(events[i]);
    }
    return all;
  }

  private static Object of(Event e) {
    return switch (e.type()) {
      case "page_view" -> new PageView(e);
      case "form_view" -> new FormView(e);
      case "page_leave" -> new Leave(e);
      case "report_created" -> new ReportCreated(e);
      default -> new Other(e);
    };
  }

  public abstract static class Of {
    final Event event;

    Of(Event event) {
      this.event = event;
    }

    public long getAt() {
      return event.at();
    }

    public String getVisitor() {
      return event.visitor();
    }
  }

  public static final class PageView extends Of {
    private final long dayNo;

    PageView(Event e) {
      super(e);
      dayNo = e.at() / DAY;
    }

    public String getUser() {
      return event.user();
    }

    public String getCompany() {
      return event.company();
    }

    public String getPath() {
      return event.path();
    }

    public long getDayNo() {
      return dayNo;
    }
  }

  public static final class FormView extends Of {
    FormView(Event e) {
      super(e);
    }

    public String getForm() {
      return event.form();
    }
  }

  public static final class Leave extends Of {
    Leave(Event e) {
      super(e);
    }
  }

  public static final class ReportCreated extends Of {
    ReportCreated(Event e) {
      super(e);
    }
  }

  public static final class Other extends Of {
    Other(Event e) {
      super(e);
    }
  }
}
