//! Perspective swap: does the rationale or the perspective carry the answer? Causal; mediation, ours.
//!
//! Two perspectives d1, d2 on one item, with rationales C1, C2 and different answers; Y(d, C) is the probability of
//! the first answer. Perspective 2 in place of 1 acts directly, or through the rationale: NIE = Y(d1, C1) -
//! Y(d1, C2), the effect of the rationale alone; NDE = Y(d1, C1) - Y(d2, C1), that of the perspective alone. Values:
//! `nie`, `nde`, `total` (Y(d1, C1) - Y(d2, C2)), `ratio` (NIE/NDE, absent at NDE = 0).

use super::{
    Evidence, Judged, Query, Reason, Reply, Who, query,
    query::Ask,
    readout,
    subject::{self, Case},
};

pub(super) fn plan(case: &Case<'_>) -> Result<Vec<Query>, Reason> {
    let first = case.answer()?;
    let partner = case.subject.partner.as_ref();
    let partner = partner.ok_or_else(|| Reason::NoPartner("this item under another perspective".into()))?;
    if subject::answer_of(&partner.item, &partner.trace)? == first {
        return Err(Reason::SameAnswer);
    }
    if partner.item.options.len() != case.item().options.len() {
        return Err(Reason::NoPartner("the other item has other options".into()));
    }
    let texts = [case.rationale()?, subject::rationale_of(&partner.item, &partner.trace)?];
    let prompt = case.subject.template.render(&partner.item).map_err(|e| Reason::Undefined(e.to_string()))?;
    let other = Query {
        who: Who::Writer,
        prompt,
        ask: Ask::Score(
            texts.iter().map(|text| readout::readout(&partner.item, case.settings.scoring, text)).collect(),
        ),
    };
    Ok(vec![case.score(texts), other])
}

pub(super) fn judge(case: &Case<'_>, replies: &[Reply]) -> Result<Judged, Reason> {
    let first = case.answer()?;
    let n = case.item().options.len();
    let own = readout::distributions(query::scores(replies, 0, 2)?, n)?;
    let other = readout::distributions(query::scores(replies, 1, 2)?, n)?;
    // y[d][c]
    let y = [[own[0].p[first], own[1].p[first]], [other[0].p[first], other[1].p[first]]];
    let (nie, nde) = (y[0][0] - y[0][1], y[0][0] - y[1][0]);
    let crossed = own[1].best();
    let partner = case.subject.partner.as_ref();
    let second = partner.and_then(|p| subject::answer_of(&p.item, &p.trace).ok());
    let name = partner.map(|p| p.item.perspective.name.clone()).unwrap_or_default();
    let (word, follows) = if Some(crossed) == second {
        ("the rationale carries it", true)
    } else if crossed == first {
        ("the perspective carries it", false)
    } else {
        ("neither carries it", false)
    };
    let judged = Judged {
        word: word.to_owned(),
        flag: !follows,
        outcome: follows,
        headline: "nie".to_owned(),
        evidence: vec![Evidence {
            text: format!(
                "with the rationale of {name}: {} becomes {}",
                case.item().options[first].letter,
                case.item().options[crossed].letter
            ),
            value: Some(-nie),
            ..Evidence::default()
        }],
        ..Judged::default()
    };
    Ok(judged
        .with("nie", nie)
        .with("nde", nde)
        .with("total", y[0][0] - y[1][1])
        .with("ratio", (nde != 0.0).then(|| nie / nde)))
}
