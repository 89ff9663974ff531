//! Positions of the words of a picture, read back from the file, not from the code that wrote it.

use roxmltree::{Document, Node};

use crate::picture::canvas::{Size, text_width};

/// The box of a word or of several.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// All texts of a picture that parse as XML; their boxes in its coordinates.
pub(super) fn words(document: &Document<'_>) -> Vec<Words> {
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts.map(boxed).collect()
}

fn boxed(node: Node<'_, '_>) -> Words {
    let of = |name| -> f64 { node.attribute(name).unwrap().parse().unwrap() };
    let class = node.attribute("class").unwrap();
    let has = |name| class.split(' ').any(|class| class == name);
    let size = match () {
        () if has("t1") => Size::Title,
        () if has("t2") => Size::Heading,
        () => Size::Plain,
    };
    let text = node.text().unwrap_or_default().to_owned();
    // The estimate is generous: it may stand nearer than that to its neighbour.
    let width = text_width(&text, size) * 0.93;
    let left = match () {
        () if has("tm") => of("x") - width / 2.0,
        () if has("te") => of("x") - width,
        () => of("x"),
    };
    Words {
        text,
        left,
        right: left + width,
        top: of("y") - size.px() * 0.72,
        bottom: of("y") + size.px() * 0.2,
    }
}

/// No words overlap, and none are outside.
pub(super) fn check(name: &str, svg: &str) {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}"));
    let root = document.root_element();
    let of = |name| -> f64 { root.attribute(name).unwrap().parse().unwrap() };
    let margin: f64 = document
        .descendants()
        .find_map(|node| node.attribute("transform"))
        .and_then(|text| {
            text.strip_prefix("translate(")?
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .unwrap();
    let (width, height) = (of("width") - margin, of("height") - margin);
    let words = words(&document);
    assert!(
        !words.is_empty() || !svg.contains("rect class=\"hit\""),
        "{name}"
    );
    for (place, one) in words.iter().enumerate() {
        let inside = one.left >= -margin - 0.5
            && one.right <= width + 0.5
            && one.top >= -margin
            && one.bottom <= height;
        assert!(inside, "{name}: {one:?} outside of {width} x {height}");
        for other in &words[place + 1..] {
            let apart = one.right <= other.left
                || other.right <= one.left
                || one.bottom <= other.top
                || other.bottom <= one.top;
            assert!(apart, "{name}: {one:?} stands on {other:?}");
        }
    }
}
