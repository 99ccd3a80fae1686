//! Small XML documents, and large ones element by element; without DTDs, external or own entities.

use std::io::{BufRead, BufReader, Read};

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};

use crate::error::{Error, Place, Result};

/// An element with everything in it.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child, without the space around it; empty if there is none.
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map(|child| child.text.trim()).unwrap_or_default()
    }

    /// A number in a child's text or an attribute of that name.
    pub fn number(&self, name: &str) -> std::result::Result<f64, String> {
        let text = self.attribute(name).unwrap_or_else(|| self.text_of(name));
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| format!("<{}>: {name} is {text:?}, not a number", self.name))
    }
}

/// Deeper nesting than any of the formats has.
const MAX_DEPTH: usize = 64;

/// Calls `each` with every element of that name, wherever it stands; with the root's name, with the document.
/// The second argument of `each` is its number, from 0.
pub(crate) fn for_each_named(
    reader: impl Read,
    (file, max_record_bytes): (&str, usize),
    names: &[&str],
    each: &mut dyn FnMut(u64, Element) -> Result<()>,
) -> Result<()> {
    let mut reader = Reader::from_reader(BufReader::with_capacity(1 << 16, reader));
    let mut buffer = Vec::new();
    let mut n = 0;
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(|e| broken(file, &e))?;
        let (element, is_empty) = match event {
            Event::Eof => return Ok(()),
            Event::Start(start) => (open(file, &start)?, false),
            Event::Empty(start) => (open(file, &start)?, true),
            Event::End(_)
            | Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => continue,
        };
        if !names.contains(&element.name.as_str()) {
            continue;
        }
        let element = if is_empty { element } else { fill(&mut reader, (file, max_record_bytes), element)? };
        each(n, element)?;
        n += 1;
    }
}

fn broken(file: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::format(Place::file(file), format!("broken XML: {reason}"))
}

fn open(file: &str, start: &BytesStart<'_>) -> Result<Element> {
    let mut element = Element { name: start.name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| broken(file, &e))?;
        let value = unescape(&attribute.value).map_err(|e| broken(file, &e))?;
        element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}

/// Reads on to the end of an element that was opened.
fn fill(reader: &mut Reader<impl BufRead>, (file, limit): (&str, usize), root: Element) -> Result<Element> {
    let start = reader.buffer_position();
    let mut stack = vec![root];
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(|e| broken(file, &e))?;
        if reader.buffer_position() - start > limit as u64 {
            let what = "the bytes of one element";
            return Err(Error::Limit { about: file.to_owned(), what, limit: limit as u64 });
        }
        let Some(top) = stack.last_mut() else { return Err(broken(file, &"an element ends twice")) };
        match event {
            Event::Start(start) => {
                if stack.len() >= MAX_DEPTH {
                    return Err(broken(file, &"it is nested too deeply"));
                }
                stack.push(open(file, &start)?);
            }
            Event::Empty(start) => top.children.push(open(file, &start)?),
            Event::Text(text) => top.text.push_str(&text.xml10_content()),
            Event::CData(text) => top.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let known = match reference.resolve_char_ref().map_err(|e| broken(file, &e))? {
                    Some(c) => Some(c.to_string()),
                    None => resolve_predefined_entity(&reference.xml10_content()).map(str::to_owned),
                };
                top.text.push_str(&known.ok_or_else(|| broken(file, &"it uses an entity of its own"))?);
            }
            Event::End(_) => {
                if let Some(done) = stack.pop() {
                    match stack.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    }
                }
            }
            Event::Eof => return Err(broken(file, &"it is cut off")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// Text for an element or an attribute. Control characters, which XML cannot hold, become spaces.
pub(crate) fn escaped(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| {
            if (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    // Line ends in attributes would become spaces, and a carriage return a line feed.
    escape(clean.as_str()).replace('\n', "&#10;").replace('\r', "&#13;").replace('\t', "&#9;")
}
