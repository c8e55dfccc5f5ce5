//! Every action of the explorer, with the name that keymaps use and the words that help and palette show.

/// Where a key means something; also the sections of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    Global,
    Perspectives,
    Items,
    Comparison,
    Audit,
    Training,
    /// The annotator's desk.
    Annotate,
    /// Agreement and disagreements of annotators.
    Agreement,
    Demo,
    Metrics,
}

impl Context {
    pub const ALL: [Context; 10] = [
        Context::Global,
        Context::Perspectives,
        Context::Items,
        Context::Comparison,
        Context::Audit,
        Context::Training,
        Context::Annotate,
        Context::Agreement,
        Context::Demo,
        Context::Metrics,
    ];

    /// The table's name in the keymap file.
    pub fn name(self) -> &'static str {
        match self {
            Context::Global => "global",
            Context::Perspectives => "perspectives",
            Context::Items => "items",
            Context::Comparison => "comparison",
            Context::Audit => "audit",
            Context::Training => "training",
            Context::Annotate => "annotate",
            Context::Agreement => "agreement",
            Context::Demo => "demo",
            Context::Metrics => "metrics",
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $short:literal, $about:literal;)*) => {
        /// What a key, a palette entry or the mouse can ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $($variant,)* }

        impl Action {
            /// All actions, in the order of help and palette.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)*];

            /// The name in the keymap file.
            pub fn name(self) -> &'static str {
                match self { $(Action::$variant => $name,)* }
            }

            /// One word or two for the bottom line.
            pub fn short(self) -> &'static str {
                match self { $(Action::$variant => $short,)* }
            }

            /// One line for help and palette.
            pub fn about(self) -> &'static str {
                match self { $(Action::$variant => $about,)* }
            }
        }
    };
}

actions! {
    Up, "up", "up", "one up";
    Down, "down", "down", "one down";
    Left, "left", "left", "column to the left, or close a group";
    Right, "right", "right", "column to the right, or open a group";
    PageUp, "page-up", "page up", "half a page up";
    PageDown, "page-down", "page down", "half a page down";
    First, "first", "first", "to the first";
    Last, "last", "last", "to the last; in a column, follow what is being written";
    ScrollUp, "scroll-up", "scroll up", "scroll the focused column alone, a line up";
    ScrollDown, "scroll-down", "scroll down", "scroll the focused column alone, a line down";
    Select, "select", "open", "open what is under the cursor";
    Back, "back", "back", "close, leave, or drop what was typed";
    NextZone, "next-zone", "zone", "to the next zone";
    PreviousZone, "previous-zone", "zone back", "to the zone before";
    FocusPerspectives, "focus-perspectives", "perspectives", "to the perspectives";
    FocusItems, "focus-items", "items", "to the items";
    FocusComparison, "focus-comparison", "comparison", "to the comparison";
    Zoom, "zoom", "zoom", "comparison on the whole screen, and back";
    FoldPicker, "fold-picker", "fold", "fold the perspectives away, and back";
    ToggleGroup, "toggle-group", "fold group", "open or close a group of perspectives";
    NextItem, "next-item", "next item", "to the next item, focus held";
    PreviousItem, "previous-item", "previous item", "to the item before, focus held";
    NextPerspective, "next-perspective", "next perspective", "to the next perspective in the picker, focus held";
    PreviousPerspective, "previous-perspective", "previous perspective", "to the perspective before, focus held";
    SwapPerspective, "swap-perspective", "swap", "hold situation and method, walk through its other perspectives";
    NextSample, "next-sample", "next sample", "next repeated sample of this method on this item";
    PreviousSample, "previous-sample", "previous sample", "repeated sample before";
    ToggleSync, "toggle-sync", "scroll together", "columns scroll together by step, or alone";
    Diff, "diff", "diff", "mark the words that differ from the column to the right";
    HideColumn, "hide-column", "hide column", "hide this method's column";
    ShowColumns, "show-columns", "all columns", "show every method's column again";
    Search, "search", "search", "search: perspectives by name in the picker, text elsewhere";
    NextMatch, "next-match", "next match", "next match of the text search";
    PreviousMatch, "previous-match", "match before", "match before";
    Filter, "filter", "filter", "edit the filter as one line";
    ClearFilter, "clear-filter", "no filter", "drop the filter";
    DisagreementLens, "disagreement-lens", "disagreements", "only items on which the methods flip, most first";
    Order, "order", "order", "next order of this list";
    Generate, "generate", "generate", "write this method's trace of this item, live";
    GenerateAll, "generate-all", "generate all", "write every method that has not run on this item, live";
    Cancel, "cancel", "cancel", "stop writing; what is written stays";
    Check, "check", "check", "how the answer's probability moves along this column's rationale";
    ChooseCheck, "choose-check", "checks", "choose one check from the list of all, and how it is made";
    CheckAll, "check-all", "check all", "the set of faithfulness checks on every column";
    Audit, "audit", "audit", "checks over all traces of the filter: rates, curves, safety, right or wrong";
    Metrics, "metrics", "metrics", "tables over the filter: accuracy with intervals, pairs, for whom, priorities";
    Report, "report", "report", "metrics: write what is measured as a file: HTML, Markdown, CSV, JSON, LaTeX";
    Samples, "samples", "samples", "metrics: repeated samples: the first counts, the majority, or the mean of all";
    Training, "training", "training", "training runs: curves, sample efficiency, rollouts";
    Annotate, "annotate", "annotate", "label this item's traces for faithfulness, side by side";
    SaveLabel, "save-label", "save", "on to what is still open; when nothing is, save the label and go to the next trace";
    PreviousQuestion, "previous-question", "back", "question before; from the first one, trace before";
    NextQuestion, "next-question", "question", "next question";
    NextTrace, "next-trace", "next trace", "next trace of the queue";
    PreviousTrace, "previous-trace", "trace before", "trace before in the queue";
    Undo, "undo", "undo", "take the last answer, flag, note or save back; no limit, and a restart does not end it";
    Redo, "redo", "redo", "do again what was undone";
    SkipTrace, "skip-trace", "skip", "set this trace aside, or take it back in";
    FlagTrace, "flag-trace", "flag", "flag this trace for another look, or take the flag away";
    EditNote, "edit-note", "note", "write a note on this trace";
    Mark, "mark", "mark", "answer with the step under the cursor, begin or end a mark, begin to write";
    ClearAnswer, "clear-answer", "clear", "take the answer to this question away; of marks, the last one";
    Reveal, "reveal", "reveal", "show gold, method and checks of this trace; logged, and the label counts as not blind";
    SideBySide, "side-by-side", "side by side", "all traces of the item side by side, or one at a time";
    Adopt, "adopt", "adopt agreed", "adjudication: take over every answer on which all agree";
    Numbers, "numbers", "agreement", "agreement, confusion, disagreements and checks against people";
    NextPage, "next-page", "next page", "next page of this screen";
    PreviousPage, "previous-page", "page before", "page before";
    Start, "start", "run", "run the checks on every trace of the filter; goes on where it stopped";
    About, "about", "check", "another check for curves and quadrants";
    Evidence, "evidence", "evidence", "what the checks found on this column's trace, with the evidence";
    Intervene, "intervene", "edit step", "edit, cut, negate, insert or drop the step under the cursor; see how the answer moves";
    Blur, "blur", "blur", "hide the words of steps that a safety check flags, and show them again";
    DemoNext, "demo-next", "next scene", "in a demo: show the whole text, then the next scene";
    DemoPrevious, "demo-previous", "scene back", "in a demo: the scene before";
    DemoPause, "demo-pause", "pause", "in a demo: hold the time, and let it go on";
    DemoReplay, "demo-replay", "play again", "in a demo: the scene from its beginning";
    DemoColumn, "demo-column", "next method", "in a demo: to the next method's column";
    DemoLarge, "demo-large", "large text", "in a demo: one column with much room, for the back of the room";
    DemoLock, "demo-lock", "lock", "in a demo: give the explorer its keys, and take them again";
    Copy, "copy", "copy", "copy this column's text to the clipboard";
    Details, "details", "details", "where this trace came from: model, template, sampler, seed, timing";
    Problems, "problems", "problems", "lines that could not be read, and other notes";
    Models, "models", "models", "the models at hand, fetch and choose";
    NextTheme, "next-theme", "theme", "next colour theme";
    ToggleMouse, "toggle-mouse", "mouse", "mouse on, or off so that the terminal selects text";
    Redraw, "redraw", "redraw", "draw everything again";
    Help, "help", "all keys", "keys of the focused zone";
    Palette, "palette", "palette", "every action by name";
    Suspend, "suspend", "suspend", "back to the shell; `fg` returns";
    Quit, "quit", "quit", "leave";
}

impl Action {
    /// Whether it means the same on every screen, which then leaves it to the program as a whole.
    pub fn is_everyones(self) -> bool {
        matches!(
            self,
            Action::Help
                | Action::Palette
                | Action::Problems
                | Action::Models
                | Action::NextTheme
                | Action::ToggleMouse
                | Action::Redraw
                | Action::Suspend
                | Action::Quit
        )
    }

    /// The action with this name in the keymap file.
    pub fn from_name(name: &str) -> Option<Action> {
        Action::ALL.iter().copied().find(|a| a.name() == name)
    }
}
