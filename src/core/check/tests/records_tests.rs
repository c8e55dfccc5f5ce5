//! Where verdicts come from, what they are stored under, and which trace serves as a partner.

use super::*;

#[test]
fn another_model_than_the_writer_is_told() {
    let mut subject = subject(THREE);
    let record = |s: &Subject| Record::new(CheckId::Filler, s, &plain(), Verdict::Unjudged(Reason::NoAnswer));
    assert!(!record(&subject).source.not_writer);
    let own = record(&subject);
    subject.checker.adapter = Some("human-cot".into());
    let other = record(&subject);
    assert!(other.source.not_writer);
    assert_ne!(own.key(), other.key());
    Arc::make_mut(&mut subject.trace).model.clear();
    subject.checker = Checker { model: String::new(), adapter: None };
    assert!(subject.not_writer());
}

#[test]
fn a_verdict_stands_while_nothing_changes_that_it_was_made_with() {
    let subject = subject(THREE);
    let with = |check, change: &dyn Fn(&mut Settings)| {
        let mut settings = plain();
        change(&mut settings);
        Source::of(check, &subject, &settings)
    };
    let mut other = subject.clone();
    other.checker.model = "n".to_owned();
    for check in CheckId::ALL {
        let before = Source::of(check, &subject, &plain()).parameters;
        let moved = |change: &dyn Fn(&mut Settings)| with(check, change).parameters != before;
        assert_eq!(moved(&|s| s.scoring = Scoring::Words), check.reads_off(), "{check}");
        assert_eq!(moved(&|s| s.maker = Some("big".to_owned())), check.asks_maker(), "{check}");
        assert_eq!(moved(&|s| s.judge = Some("wise".to_owned())), check.asks_judge(), "{check}");
        // A judge of one's own is asked whichever model is under test.
        let wise = Settings { judge: Some("wise".to_owned()), ..plain() };
        let same =
            Source::of(check, &subject, &wise).parameters == Source::of(check, &other, &wise).parameters;
        let without_model = check.asks_judge_alone() || check.decided_by().is_some();
        assert_eq!(same, without_model, "{check}");
    }
    let traced = with(CheckId::ProbabilityTrace, &|_| ());
    assert_eq!((traced.maker.as_str(), traced.judge.as_str()), ("", ""), "nobody else had a hand in it");
    assert_eq!(with(CheckId::Paraphrase, &|_| ()).maker, "rules");
}

#[test]
fn records_survive_a_round_trip() {
    let subject = subject(THREE);
    let replies = scores(&[&[0.6, 0.2, 0.2], &[0.5, 0.4, 0.1], &[0.1, 0.6, 0.3], &[0.1, 0.8, 0.1]]);
    let judged = judged(CheckId::ProbabilityTrace, &subject, &plain(), &[vec![replies]]);
    for verdict in [
        Verdict::Judged(judged),
        Verdict::Unjudged(Reason::NoRationale),
        Verdict::Unjudged(Reason::TooLong("300 steps".into())),
    ] {
        let record = Record::new(CheckId::ProbabilityTrace, &subject, &plain(), verdict);
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record, "{line}");
    }
}

#[test]
fn every_check_has_its_own_word() {
    for check in CheckId::ALL {
        assert_eq!(check.word().parse(), Ok(check));
        assert_eq!(serde_json::to_value(check).unwrap(), check.word());
    }
    assert!("probabilty".parse::<CheckId>().is_err());
}

#[test]
fn no_check_is_missing_among_all() {
    // What serde would take is every variant; its refusal names them.
    let refusal = serde_json::from_str::<CheckId>("\"nonsense\"").unwrap_err().to_string();
    let known: Vec<&str> = refusal.split('`').skip(3).step_by(2).collect();
    assert_eq!(known, CheckId::ALL.map(CheckId::word), "{refusal}");
}

#[test]
fn partners_have_another_answer_first() {
    let base = subject(THREE);
    let mut traces: Vec<(Arc<Item>, Arc<Trace>)> = ["Duty to warn", "Candour", "Thrift"]
        .iter()
        .zip(["x y.\nAnswer: B", "x y.\nAnswer: A", "x y."])
        .map(|(name, output)| {
            let item = item(name);
            (Arc::clone(&item), trace(&item, output))
        })
        .collect();
    let elsewhere = Arc::new(Item::value("vk", Perspective::named("Candour"), "Hiding a letter"));
    traces.push((Arc::clone(&elsewhere), trace(&elsewhere, "x y.\nAnswer: B")));
    traces.push((Arc::clone(&base.item), Arc::clone(&base.trace)));
    let pool = partner::Pool::new(traces);
    let name = |want| pool.find(want, &base).map(|p| (p.item.perspective.name.clone(), p.item.text.clone()));
    assert_eq!(name(partner::Want::OtherPerspective).unwrap().0, "Candour");
    assert_eq!(name(partner::Want::OtherItem).unwrap().1, "Hiding a letter");
}
