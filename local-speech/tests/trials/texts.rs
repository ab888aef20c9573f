//! What is said in the trials, and how a transcript is compared with it.

/// Free sentences, then answers of a dialogue: names, times, numbers. 64 clips.
pub(crate) const TEXTS: [&str; 64] = [
    "The weather has been lovely all week, so we walked along the river.",
    "She opened the window and listened to the birds in the garden.",
    "My brother repairs old bicycles and sells them at the market.",
    "There is a small bakery on the corner that opens before sunrise.",
    "We missed the last train and had to wait until the morning.",
    "The museum was closed, but the guard told us about the paintings.",
    "He bought a bag of apples and gave half of them to his neighbor.",
    "Nobody expected the meeting to last for more than three hours.",
    "The children built a castle out of sand and sea shells.",
    "I have never seen so many stars as on that clear night.",
    "A good cup of coffee makes every morning a little better.",
    "They painted the kitchen yellow because it reminded them of summer.",
    "The old clock in the hallway stopped working years ago.",
    "Please remember to water the plants while we are away.",
    "Our teacher explained the problem twice before we understood it.",
    "The dog ran across the field and jumped over the fence.",
    "It takes about an hour to drive from here to the airport.",
    "The company moved its office to a quiet street near the station.",
    "He wrote a long letter to his sister and never sent it.",
    "The soup needs more salt and perhaps a little pepper.",
    "I would like to book a table for four people, please.",
    "On Friday evening at half past seven.",
    "Could you make it eight o'clock instead?",
    "We would prefer to sit outside if the weather is good.",
    "One of us is a vegetarian.",
    "My name is Thomas Miller.",
    "Yes, that is correct.",
    "No, thank you, that is everything.",
    "Can I change my appointment from Monday to Wednesday?",
    "I am calling about my order from last week.",
    "The package has not arrived yet.",
    "It was supposed to be delivered on Tuesday.",
    "I paid with my credit card.",
    "What are your opening hours on Sunday?",
    "How much does a room with breakfast cost?",
    "We need two rooms for three nights.",
    "Is there a parking lot near the hotel?",
    "I would like to speak to a person, please.",
    "Could you repeat that a little slower?",
    "I did not understand the last question.",
    "My flight leaves at six in the morning.",
    "Please send me a confirmation by email.",
    "I forgot my password and cannot log in.",
    "The heating in our apartment is not working.",
    "When can somebody come and have a look at it?",
    "Tomorrow afternoon would be perfect.",
    "Is it possible to cancel without a fee?",
    "I would like to return these shoes.",
    "They are too small for me.",
    "Do you have them in a larger size?",
    "Let me think about it and call you back.",
    "Thank you very much for your help.",
    "Goodbye and have a nice day.",
    "Please call me back before noon.",
    "I live on the second floor of the building.",
    "The doctor told me to come back in two weeks.",
    "I need a new prescription for my medicine.",
    "My daughter has had a fever since yesterday.",
    "Which documents do I have to bring?",
    "The internet connection is very slow today.",
    "I already restarted the router twice.",
    "Please put me through to the technical department.",
    "I would like a large pizza with mushrooms and onions.",
    "That sounds great, let's do it.",
];

/// Lower case, no punctuation, and one spelling for what has two.
fn plain(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['’', '\''], "");
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let spelled = |word: &str| {
        let spelled = match word {
            "1" => "one",
            "2" => "two",
            "3" => "three",
            "4" => "four",
            "6" => "six",
            "8" => "eight",
            "neighbour" => "neighbor",
            "ok" => "okay",
            other => other,
        };
        spelled.to_owned()
    };
    words.map(spelled).collect()
}

/// Words wrong (substituted, left out, put in) and words said.
pub(crate) fn errors(said: &str, heard: &str) -> (usize, usize) {
    let (said, heard) = (plain(said), plain(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, other) in heard.iter().enumerate() {
            let replaced = before + usize::from(word != other);
            before = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(before + 1);
        }
    }
    (row[heard.len()], said.len())
}
