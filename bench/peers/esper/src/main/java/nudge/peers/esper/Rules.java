package nudge.peers.esper;

/** The six rules in EPL. */
final class Rules {
  private Rules() {}

  /** R2 to R5, which have one form. Rising edges are told in the listener: a group that is selected now and was not before. */
  private static final String COMMON =
      """
      @name('r2') select irstream visitor as key, current_timestamp() as at from PageView#time(30 days)
        group by visitor having count(*) >= 20 and count(distinct dayNo) >= 3;

      @name('r3') select irstream company as key, current_timestamp() as at from PageView(company is not null)#time(7 days)
        group by company having count(distinct user) >= 3;

      create window Pricing#unique(visitor)#time(30 min) as (visitor string);
      insert into Pricing select visitor from PageView(path.startsWith('/pricing'));
      @name('r4') on FormView(form = 'demo') as f select and delete f.visitor as key, f.at as at from Pricing as p where p.visitor = f.visitor;

      @name('r5') select irstream visitor as key, current_timestamp() as at from PageView(path.startsWith('/pricing'))#time(7 days)
        group by visitor having count(*) >= 3;
      """;

  /** R1 and R6 with contexts: they give the workload's answers exactly. A timer is late where the clock jumps, so its time is the start's. */
  static final String EXACT =
      COMMON
          + """
          create context Dwell partition by visitor from FormView, visitor from Leave initiated by FormView(form = 'demo') as a terminated by Leave;
          @name('r1') context Dwell select context.a.visitor as key, context.a.at + 20000L as at from pattern [timer:interval(20 sec)];

          create context Wait partition by visitor from ReportCreated, visitor from PageView initiated by ReportCreated terminated by PageView;
          @name('r6') context Wait select a.visitor as key, a.at + 259200000L as at
            from pattern [every (a=ReportCreated -> timer:interval(3 days))];
          """;

  /**
   * R1 and R6 as patterns, in the form that Esper's manual has for "A and then no B within a time". Each start that no other one precedes within the time
   * opens a wait, whether or not the one before has ended.
   */
  static final String TEXTBOOK =
      COMMON
          + """
          @name('r1') select a.visitor as key, a.at + 20000L as at
            from pattern [every-distinct(a.visitor, 20 sec) a=FormView(form = 'demo') -> (timer:interval(20 sec) and not Leave(visitor = a.visitor))];

          @name('r6') select a.visitor as key, a.at + 259200000L as at
            from pattern [every-distinct(a.visitor, 3 days) a=ReportCreated -> (timer:interval(3 days) and not PageView(visitor = a.visitor))];
          """;
}
