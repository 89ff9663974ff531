//! A page with everything about a run: figures, pictures, findings. One file that loads no others;
//! its content security policy forbids scripts, fonts and pictures.

use std::fmt::Write as _;

use super::Theme;
use super::canvas::escaped;
use super::data::{Picture, PictureNote, PictureSession};
use super::sheet::{Chart, chart};
use super::theme::{page_colours, sheet};
use crate::output::units;

/// Pixels inside a phone of 390, and those of all wider windows.
pub(super) const NARROW: f64 = 358.0;
pub(super) const WIDE: f64 = 920.0;

/// Targets that could not be measured, unfolded.
const MOST_FAILED: usize = 20;

/// What the page looks like without its pictures.
const FORMS: &str = "\
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 \"Noto Sans\",system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif}
main{max-width:952px;margin:0 auto;padding:16px}
h1{font-size:21px;line-height:1.3;margin:8px 0 4px;overflow-wrap:anywhere}
h2{font-size:17px;margin:28px 0 8px}
p{margin:0 0 8px;overflow-wrap:anywhere}
.sub{color:var(--dim)}
.lead{font-size:18px}
.note{border-left:4px solid var(--line);padding:4px 0 4px 12px;margin:8px 0}
.warning{border-color:var(--loud)}
.warning b{color:var(--loud)}
.wide-table{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child{text-align:left;padding-left:0;font-weight:400;color:var(--dim);white-space:normal;min-width:8.5em}
thead th{font-weight:700;color:var(--ink);max-width:180px;white-space:normal;overflow-wrap:anywhere;vertical-align:bottom}
table.one{width:auto;min-width:50%}
figure{margin:0 0 24px}
figure svg{display:block;max-width:100%;height:auto}
.narrow svg{width:100%;max-width:520px}
.narrow{display:none}
footer{color:var(--dim);font-size:13px;margin-top:32px}
@media (max-width:700px){.wide{display:none}.narrow{display:block}table.one{width:100%}main{padding:12px 16px}}
@media print{main{max-width:none}figure{break-inside:avoid}.wide{display:block}.narrow{display:none}}
";

/// The whole page. `made_by`: the program and its version.
pub(crate) fn page(picture: &Picture, theme: Theme, made_by: &str) -> String {
    let mut page = opening(&Head {
        title: &picture.title,
        theme,
        ..Head::default()
    });
    title(&picture.title, &picture.subtitle, &mut page);
    for session in &picture.sessions {
        let (name, summary) = (escaped(&session.name), escaped(&session.summary));
        let name = if name.is_empty() {
            name
        } else {
            format!("<b>{name}</b> ")
        };
        let _ = writeln!(page, "<p class=\"lead\">{name}{summary}</p>");
    }
    notes(&picture.notes, true, &mut page);
    failed(&picture.failed, &mut page);
    table(&picture.sessions, &mut page);
    charts(picture, "", &mut page);
    notes(&picture.notes, false, &mut page);
    closing(made_by, None, &mut page);
    page
}

/// What a page has beside its contents.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head<'a> {
    pub(crate) title: &'a str,
    pub(crate) theme: Theme,
    /// Rules of style of its own.
    pub(crate) forms: &'a str,
    /// The hash of its script.
    pub(crate) script: Option<&'a str>,
    /// It is loaded again after as many seconds.
    pub(crate) refresh_s: Option<u32>,
}

/// The file up to its contents.
pub(crate) fn opening(head: &Head<'_>) -> String {
    let script = head.script;
    let script = script.map(|hash| format!("script-src 'sha256-{hash}'; "));
    let refresh = head.refresh_s.map_or_else(String::new, |seconds| {
        format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n")
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; {}\
         style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         {refresh}<link rel=\"icon\" href=\"data:,\">\n\
         <title>{}</title>\n<style>\n{}{FORMS}{}{}</style>\n</head>\n\
         <body>\n<main>\n",
        script.unwrap_or_default(),
        escaped(head.title),
        page_colours(head.theme),
        head.forms,
        sheet(head.theme)
    )
}

/// What follows its contents.
pub(crate) fn closing(made_by: &str, script: Option<&str>, out: &mut String) {
    let _ = writeln!(out, "<footer>{}</footer>\n</main>", escaped(made_by));
    if let Some(script) = script {
        let _ = writeln!(out, "<script>{script}</script>");
    }
    out.push_str("</body>\n</html>\n");
}

pub(crate) fn title(title: &str, subtitle: &str, out: &mut String) {
    let _ = writeln!(out, "<h1>{}</h1>", escaped(title));
    if !subtitle.is_empty() {
        let _ = writeln!(out, "<p class=\"sub\">{}</p>", escaped(subtitle));
    }
}

pub(super) fn notes(notes: &[PictureNote], warning: bool, out: &mut String) {
    let (class, word) = if warning {
        ("note warning", "Warning")
    } else {
        ("note", "Note")
    };
    for note in notes.iter().filter(|note| note.warning == warning) {
        let line = escaped(&note.line);
        let _ = writeln!(out, "<p class=\"{class}\"><b>{word}:</b> {line}</p>");
    }
}

/// What could not be measured; a long list is folded.
pub(super) fn failed(failed: &[String], out: &mut String) {
    if failed.is_empty() {
        return;
    }
    let open = if failed.len() > MOST_FAILED {
        ""
    } else {
        " open"
    };
    let all = units::count(failed.len() as u64, "target", "targets");
    let _ = writeln!(
        out,
        "<details{open} class=\"note warning\"><summary><b>Warning:</b> {all} not measured</summary>"
    );
    for line in failed {
        let _ = writeln!(out, "<p>{}</p>", escaped(line));
    }
    out.push_str("</details>\n");
}

/// Figures down, sessions across.
pub(crate) fn table(sessions: &[PictureSession], out: &mut String) {
    let Some(first) = sessions.first().filter(|first| !first.figures.is_empty()) else {
        return;
    };
    let class = if sessions.len() == 1 {
        " class=\"one\""
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "<h2>Figures</h2>\n<div class=\"wide-table\"><table{class}>"
    );
    if sessions.len() > 1 {
        out.push_str("<thead><tr><th scope=\"col\">Session</th>");
        for session in sessions {
            let name = escaped(&session.name);
            let _ = write!(out, "<th scope=\"col\">{name}</th>");
        }
        out.push_str("</tr></thead>\n");
    }
    out.push_str("<tbody>\n");
    for (row, figure) in first.figures.iter().enumerate() {
        let name = escaped(figure.name);
        let _ = write!(out, "<tr><th scope=\"row\">{name}</th>");
        for session in sessions {
            let value = session.figures.get(row).map_or("-", |it| it.value.as_str());
            let _ = write!(out, "<td>{}</td>", escaped(value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

/// Each chart twice, with a prefix to the names of its elements: letters that are small on a phone would be unreadable, shrunken ones are.
pub(crate) fn charts(picture: &Picture, prefix: &str, out: &mut String) {
    out.push_str("<h2>Pictures</h2>\n");
    let mut any = false;
    for (kind, wide, narrow) in [
        (Chart::Smoke, "smoke-wide", "smoke-narrow"),
        (Chart::Distribution, "cdf-wide", "cdf-narrow"),
        (Chart::Variation, "variation-wide", "variation-narrow"),
    ] {
        let draw = |name: &str, width| chart(picture, kind, &format!("{prefix}{name}"), width);
        let pair = draw(wide, WIDE).zip(draw(narrow, NARROW));
        if let Some((wide, narrow)) = pair {
            any = true;
            let _ = writeln!(
                out,
                "<figure><div class=\"wide\">{wide}</div><div class=\"narrow\">{narrow}</div></figure>"
            );
        }
    }
    if !any {
        out.push_str("<p class=\"sub\">Nothing to show: no packet has a known fate yet.</p>\n");
    }
}
