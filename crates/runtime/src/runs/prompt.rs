//! The system text of a prompt: the layers in their fixed order, each under its heading.

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::{Prompt, PromptExample};

pub(crate) fn render(prompt: &Prompt) -> String {
    let mut layers: Vec<String> = prompt.role.iter().cloned().collect();
    layers.push(prompt.instructions.clone());
    if !prompt.domain_knowledge.is_empty() {
        let topics: Vec<String> = prompt.domain_knowledge.iter().map(topic).collect();
        layers.push(format!("# Domain knowledge\n{}", topics.join("\n")));
    }
    if !prompt.examples.is_empty() {
        let examples: Vec<String> = prompt.examples.iter().map(example).collect();
        layers.push(format!("# Examples\n{}", examples.join("\n\n")));
    }
    layers.extend(prompt.style.iter().map(|style| format!("# Style\n{style}")));
    layers.join("\n\n")
}

fn topic((topic, value): &(String, Json)) -> String {
    let texts = value.as_array().map(|elements| elements.iter().map(Json::as_str).collect::<Option<Vec<_>>>());
    match (value, texts) {
        (Json::String(text), _) => format!("{topic}: {text}"),
        (_, Some(Some(texts))) => format!("{topic}: {}", texts.join(", ")),
        _ => format!("{topic}: {}", json::write(value)),
    }
}

fn example(example: &PromptExample) -> String {
    match example {
        PromptExample::Text(text) => text.clone(),
        PromptExample::Exchange { input, output } => format!("Input: {input}\nOutput: {output}"),
    }
}
