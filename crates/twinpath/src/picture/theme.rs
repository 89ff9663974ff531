//! Colours, light and dark. They also differ in lightness, for colour-blind readers and grey
//! printers: from Okabe and Ito's palette, and a scale for loss whose contrast with the background
//! grows with the loss.

use std::fmt::Write as _;

/// Which colours a picture has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the reader's system is set (`prefers-color-scheme`); where there is no reader, light.
    #[default]
    Auto,
    /// Dark on white.
    Light,
    /// Light on near black.
    Dark,
}

/// Shares of loss that have a colour of their own; beyond the last, all was lost.
pub(super) const LOSS_CLASSES: [&str; 4] = ["up to 1%", "1 to 5%", "5 to 20%", "over 20%"];

/// How many sessions have a colour of their own.
const SESSION_COLOURS: usize = 6;

/// The classes of a session's curve: beyond the last colour they begin again, with other dashes.
pub(super) fn session_curve(number: usize) -> &'static str {
    const CURVES: [&str; 3 * SESSION_COLOURS] = [
        "curve session-1",
        "curve session-2",
        "curve session-3",
        "curve session-4",
        "curve session-5",
        "curve session-6",
        "curve session-1 dash-1",
        "curve session-2 dash-1",
        "curve session-3 dash-1",
        "curve session-4 dash-1",
        "curve session-5 dash-1",
        "curve session-6 dash-1",
        "curve session-1 dash-2",
        "curve session-2 dash-2",
        "curve session-3 dash-2",
        "curve session-4 dash-2",
        "curve session-5 dash-2",
        "curve session-6 dash-2",
    ];
    CURVES
        .get(number % CURVES.len())
        .copied()
        .unwrap_or_default()
}

/// One set of colours.
struct Palette {
    background: &'static str,
    ink: &'static str,
    dim: &'static str,
    grid: &'static str,
    frame: &'static str,
    /// From all packets to the middle half.
    smoke: [&'static str; 3],
    median: &'static str,
    loss: [&'static str; 4],
    silence: [&'static str; 2],
    silence_ink: &'static str,
    absent: [&'static str; 2],
    mark: &'static str,
    /// Inside, and the edge.
    alarm: [&'static str; 2],
    forward: [&'static str; 3],
    backward: [&'static str; 3],
    sessions: [&'static str; SESSION_COLOURS],
}

const LIGHT: Palette = Palette {
    background: "#ffffff",
    ink: "#1b1f24",
    dim: "#59636e",
    grid: "#e4e8ec",
    frame: "#8c959f",
    smoke: ["#e3ecf5", "#bcd3e9", "#84aed6"],
    median: "#083d77",
    loss: ["#f0c419", "#e8871e", "#cc3f1f", "#86123f"],
    silence: ["#3d1542", "#6d3f73"],
    silence_ink: "#ffffff",
    absent: ["#f1f2f4", "#c9ced4"],
    mark: "#6a2c91",
    alarm: ["#fde0dc", "#a40e26"],
    forward: ["#d3e8f5", "#8cc3e6", "#0072b2"],
    backward: ["#d2efe5", "#86d1b6", "#007a5a"],
    sessions: [
        "#0072b2", "#d55e00", "#007a5a", "#b0468a", "#8a6d00", "#333333",
    ],
};

const DARK: Palette = Palette {
    background: "#14181d",
    ink: "#e6edf3",
    dim: "#9aa5b1",
    grid: "#2a313a",
    frame: "#6b7682",
    smoke: ["#22374d", "#2c5079", "#4379b3"],
    median: "#b9dcff",
    loss: ["#a38410", "#d98324", "#ff6a4d", "#ff5fa2"],
    silence: ["#5b2a66", "#b07fc0"],
    silence_ink: "#ffffff",
    absent: ["#1c2127", "#3a424c"],
    mark: "#c79bea",
    alarm: ["#4d1a1f", "#ff8f8a"],
    forward: ["#1a3b4e", "#22648d", "#56b4e9"],
    backward: ["#174033", "#1d7158", "#3ecf9f"],
    sessions: [
        "#56b4e9", "#f28e4b", "#3ecf9f", "#e39ac8", "#e0c341", "#d0d7de",
    ],
};

/// Styles other than colours. `.tp` is the picture, so that a surrounding page keeps its own
/// styles.
const FORMS: &str = "\
.tp{font-family:\"Noto Sans\",system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif;font-variant-numeric:tabular-nums}
.tp .t1{font-size:19px;font-weight:700}
.tp .t2{font-size:14px;font-weight:700}
.tp .t3{font-size:12px}
.tp .tm{text-anchor:middle}
.tp .te{text-anchor:end}
.tp path{fill:none;stroke-width:1}
.tp .hit{fill:none;stroke:none;pointer-events:all}
.tp .halo{paint-order:stroke;stroke-width:4;stroke-linejoin:round}
.tp .median,.tp .forward-3,.tp .backward-3{stroke-width:1.6;stroke-linejoin:round}
.tp .lossy{stroke-width:3}
.tp .mark{stroke-width:1.3;stroke-dasharray:4 3}
.tp .curve{stroke-width:2;stroke-linejoin:round}
.tp .dash-1{stroke-dasharray:7 3}
.tp .dash-2{stroke-dasharray:2 3}
.tp .alarm-edge{stroke-width:2.5}
.tp .end{stroke-width:1.2;stroke-dasharray:2 3}
";

/// The style sheet of pictures.
pub(super) fn sheet(theme: Theme) -> String {
    match theme {
        Theme::Auto => format!(
            "{FORMS}{}@media (prefers-color-scheme:dark){{\n{}}}\n@media print{{\n{}}}\n",
            colours(&LIGHT),
            colours(&DARK),
            colours(&LIGHT)
        ),
        Theme::Light => format!("{FORMS}{}", colours(&LIGHT)),
        Theme::Dark => format!("{FORMS}{}", colours(&DARK)),
    }
}

/// Colours of the page around the pictures: background, ink, dim, lines, mark.
pub(super) fn page_colours(theme: Theme) -> String {
    let of = |palette: &Palette| {
        let loud = palette.loss.get(2).unwrap_or(&palette.ink);
        format!(
            ":root{{--bg:{};--ink:{};--dim:{};--line:{};--loud:{loud}}}\n",
            palette.background, palette.ink, palette.dim, palette.grid
        )
    };
    match theme {
        Theme::Auto => format!(
            ":root{{color-scheme:light dark}}\n{}@media (prefers-color-scheme:dark){{{}}}\n\
             @media print{{{}}}\n",
            of(&LIGHT),
            of(&DARK),
            of(&LIGHT)
        ),
        Theme::Light => format!(":root{{color-scheme:light}}\n{}", of(&LIGHT)),
        Theme::Dark => format!(":root{{color-scheme:dark}}\n{}", of(&DARK)),
    }
}

fn colours(palette: &Palette) -> String {
    let mut rules = String::new();
    let mut rule = |names: &str, what: &str, colour: &str| {
        let _ = writeln!(rules, ".tp {names}{{{what}:{colour}}}");
    };
    rule(".bg", "fill", palette.background);
    rule("text", "fill", palette.ink);
    rule(".dim", "fill", palette.dim);
    rule(".halo", "stroke", palette.background);
    rule(".grid", "stroke", palette.grid);
    rule(".frame", "stroke", palette.frame);
    for (number, colour) in (1..).zip(palette.smoke) {
        rule(&format!(".smoke-{number}"), "fill", colour);
    }
    rule(".median", "stroke", palette.median);
    for (number, colour) in (1..).zip(palette.loss) {
        rule(&format!(".loss-{number}"), "fill", colour);
        rule(&format!(".lossy-{number}"), "stroke", colour);
    }
    let [silence, silence_line] = palette.silence;
    rule(".silence", "fill", silence);
    rule(".silence-line", "stroke", silence_line);
    rule(".on-silence", "fill", palette.silence_ink);
    rule(".on-silence", "stroke", silence);
    let [absent, absent_line] = palette.absent;
    rule(".absent", "fill", absent);
    rule(".absent-line", "stroke", absent_line);
    rule(".unknown", "fill", absent_line);
    rule(".mark", "stroke", palette.mark);
    rule(".mark-text", "fill", palette.mark);
    rule(".rung", "fill", palette.mark);
    let [alarm, alarm_edge] = palette.alarm;
    rule(".alarm", "fill", alarm);
    rule(".alarm", "stroke", alarm_edge);
    rule(".alarm-edge", "stroke", alarm_edge);
    for (name, [outer, inner, line]) in
        [("forward", palette.forward), ("backward", palette.backward)]
    {
        rule(&format!(".{name}-1"), "fill", outer);
        rule(&format!(".{name}-2"), "fill", inner);
        rule(&format!(".{name}-3"), "stroke", line);
        rule(&format!(".{name}-text"), "fill", line);
    }
    for (number, colour) in (1..).zip(palette.sessions) {
        rule(&format!(".session-{number}"), "stroke", colour);
        rule(&format!(".dot-{number}"), "fill", colour);
    }
    rules
}
