//! Ordinary sentences about groups and topics that classifiers take offence at by themselves.
//!
//! Labelled data names minorities, sex and violence mostly where it is hateful, lewd or violent, so a classifier
//! learns the topic for the tone (Dixon et al. 2018 measured this, and cured it with such sentences). All of it is
//! written here; whole frames are kept for calibration and for the held-out part.

use super::{Example, LABELS, Part, Set};

const GROUPS: &[&str] = &[
    "women",
    "men",
    "children",
    "teenagers",
    "girls",
    "boys",
    "young women",
    "mothers",
    "gay people",
    "lesbians",
    "bisexual people",
    "transgender people",
    "straight couples",
    "Black people",
    "white people",
    "Asian people",
    "Latinos",
    "Native peoples",
    "Arabs",
    "Jews",
    "Muslims",
    "Christians",
    "Catholics",
    "Hindus",
    "Buddhists",
    "Sikhs",
    "atheists",
    "immigrants",
    "refugees",
    "asylum seekers",
    "foreigners",
    "Chinese people",
    "Mexicans",
    "Russians",
    "Africans",
    "Europeans",
    "Israelis",
    "Palestinians",
    "disabled people",
    "blind people",
    "people with autism",
    "people with depression",
    "old people",
    "poor people",
    "rich people",
    "homeless people",
    "veterans",
    "soldiers",
    "police officers",
    "prisoners",
    "criminals",
    "drug users",
    "conservatives",
    "liberals",
    "feminists",
    "mixed-race families",
    "Asian women",
    "African immigrants",
    "gay men",
];

const GROUP_FRAMES: &[&str] = &[
    "How much unfair treatment do {} meet with where you live?",
    "Has life become easier or harder for {} over the last ten years?",
    "Should schools spend more lessons on the history of {}?",
    "In your view, how well do politicians speak for {}?",
    "{} should have the same rights as everybody else.",
    "Renting a flat to {}",
    "Being friends with {}",
    "Living next door to {}",
    "Fairness asks that {} be treated like everyone else, so it opposes the rule.",
    "The change would hurt {} the most, and justice speaks against that.",
    "Is violence against {} a serious problem in this town?",
    "Insulting {} at work",
    "Safety matters to {} too, so the value supports a street light there.",
    "Would you be content if your son or daughter married into a family of {}?",
    "Newspapers rarely show {} as they are.",
    "Some fear that {} are pushed aside by the plan; others see no harm in it.",
    "Helping {} to find work",
    "Do {} have too much, too little or about the right amount of influence?",
    "Dignity belongs to {} as much as to their neighbours, whatever one thinks of their choices.",
    "Making a film about {}",
];

const TOPICS: &[&str] = &[
    "abortion",
    "gun control",
    "owning a gun",
    "the death penalty",
    "euthanasia",
    "suicide prevention",
    "divorce",
    "sex education",
    "contraception",
    "same-sex marriage",
    "sex before marriage",
    "dating",
    "pornography laws",
    "sexual harassment at work",
    "domestic violence",
    "child abuse",
    "war",
    "terrorism",
    "torture",
    "police violence",
    "mass shootings",
    "drug use",
    "alcohol",
    "addiction",
    "slavery and its history",
    "racism",
    "hunting",
    "eating meat",
    "animal testing",
    "killing pests",
    "cancer",
    "surgery",
    "giving blood",
    "self-defence",
    "self-harm among teenagers",
    "eating disorders",
    "mental illness",
    "depression",
    "bullying",
    "hate speech",
    "free speech",
    "religion in schools",
    "nuclear weapons",
    "crime",
    "prisons",
    "burglary",
    "rape",
    "human trafficking",
    "violent films",
    "genetic engineering",
    "vaccines",
    "immigration",
    "race relations",
    "gender equality",
    "homosexuality",
    "nudity in art",
    "teenage pregnancy",
    "punishment",
    "death",
];

const TOPIC_FRAMES: &[&str] = &[
    "How serious a problem is {} in your community?",
    "Would you favour or oppose stricter laws about {}?",
    "How often do you talk about {} with your family?",
    "People disagree about {}, and both sides have their reasons.",
    "The duty to protect others bears on {}, so it could go either way.",
    "Respect for life weighs heavily when the matter is {}.",
    "Writing an essay about {}",
    "Asking a doctor about {}",
    "Joining a march about {}",
    "When it comes to {}, are things getting better or worse?",
    "A right to privacy says little about {}.",
    "Telling a child the truth about {}",
    "Compassion asks us to listen before we judge anyone over {}.",
    "Whose views on {} are closer to your own?",
    "Reading the news about {}",
];

const PLAIN: &[&str] = &[
    "Killing a spider in the bathroom",
    "Killing time at the station",
    "Shooting a short film",
    "Cutting the cake",
    "Cutting your own hair",
    "Hitting a ball over the fence",
    "Burning old letters",
    "Kissing your wife goodbye",
    "Hanging a picture",
    "Beating a friend at chess",
    "Fighting a parking fine",
    "Buying chocolate for your girlfriend",
    "Dating two people at once",
    "Sleeping on the sofa",
    "Shouting at a referee",
    "Breaking up with a boyfriend",
    "Punching a wall in anger",
    "Killing an enemy soldier to save a friend",
    "Shooting a burglar in self-defence",
    "Stealing bread to feed a child",
    "Lying to the police to protect a brother",
    "Blowing up a balloon",
    "Flirting with a colleague",
    "Marrying someone of another faith",
    "Spanking a child",
    "Adopting a teenager",
    "Letting a dying man refuse treatment",
    "Putting down a sick dog",
    "Telling a friend she looks tired",
    "Teaching girls to fight back",
    "Refusing to kill in a war",
    "Driving too fast to reach the hospital",
    "Taking a photo of someone else's child",
    "Bathing a baby",
    "Sharing a bed with your sister on a trip",
    "Watching a horror film with friends",
    "Setting a trap for mice",
    "Calling your boss a fool in private",
];

/// Every sentence, labelled clean throughout.
pub fn sentences() -> Vec<Example> {
    let mut out = Vec::new();
    let mut fill = |frames: &[&str], words: &[&str]| {
        for (i, frame) in frames.iter().enumerate() {
            for word in words {
                out.push(clean(capital(&frame.replace("{}", word)), i));
            }
        }
    };
    fill(GROUP_FRAMES, GROUPS);
    fill(TOPIC_FRAMES, TOPICS);
    fill(PLAIN, &[""]);
    out
}

fn clean(text: String, frame: usize) -> Example {
    let part = match frame % 5 {
        3 => Part::Calibration,
        4 => Part::HeldOut,
        _ => Part::Train,
    };
    Example { text, labels: [Some(false); LABELS], set: Set::Ordinary, part }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_never_stand_on_two_sides() {
        let all = sentences();
        assert!(all.len() > 2000);
        assert!(all.iter().any(|e| e.text == "Gay men should have the same rights as everybody else."));
        let held = all.iter().filter(|e| e.part == Part::HeldOut).count();
        assert!(held * 8 > all.len() && held * 4 < all.len(), "{held} of {}", all.len());
        assert!(all.iter().all(|e| !e.text.contains('{')));
    }
}
