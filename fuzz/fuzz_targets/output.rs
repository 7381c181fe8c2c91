//! Texts of unknown origin are harmless on a terminal, in HTML, XML, JSON and Markdown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_base::{
    report::{Colour, html_escaped, shown},
    text::{clean, is_harmful, json_escaped, one_line, xml_escaped},
};

fuzz_target!(|text: &str| {
    let cleaned = clean(text);
    assert!(!cleaned.chars().any(is_harmful));
    assert_eq!(clean(&cleaned), cleaned);
    assert!(!one_line(text).contains('\n'));
    for line in shown(text, Colour::Plain).split('\n') {
        assert!(!line.contains('\u{1b}') && !line.contains("##[") && !line.trim_start().starts_with("::"), "{line}");
    }
    for line in shown(text, Colour::Coloured).split('\n') {
        assert!(!line.contains("##[") && !line.trim_start().starts_with("::"), "{line}");
    }
    for escaped in [html_escaped(text), xml_escaped(text)] {
        assert!(!escaped.contains(['<', '>', '"']), "{escaped}");
    }
    let json = format!("\"{}\"", json_escaped(&one_line(text)));
    assert!(!json.contains('\u{1b}'));
});
