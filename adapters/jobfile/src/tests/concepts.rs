//! Concepts in a job, in a YAML file and in a CSV file.

use super::{Folder, HEAD};

fn errors(folder: &Folder, concepts: &str) -> Vec<(String, Option<(usize, usize)>)> {
    folder.errors(format!("{HEAD}concepts: {concepts}\n"))
}

#[test]
fn a_list_a_tree_and_a_table_are_the_same_concepts() {
    let folder = Folder::new();
    let inline =
        "{list: [heart, {name: valves, parent: heart, target: 5, labels: [Aortic Valve]}], target: 20}";
    folder.write(
        "c.yaml",
        "- heart\n- name: valves\n  parent: heart\n  target: 5\n  labels: [Aortic Valve]\n",
    );
    folder.write(
        "c.csv",
        "name,parent,target,labels\nheart,,,\nvalves,heart,5,Aortic Valve | \n",
    );
    let of = |concepts: &str| {
        let job = folder
            .load(format!("{HEAD}concepts: {concepts}\n"), &[])
            .unwrap()
            .job;
        job.concepts.unwrap()
    };
    let given = of(inline);
    assert_eq!(of("{file: c.yaml, target: 20}").list, given.list);
    assert_eq!(of("{file: c.csv, target: 20}").list, given.list);
    let leaves: Vec<u64> = given.leaves().map(|concept| given.target_of(concept)).collect();
    assert_eq!(leaves, [5]);
}

#[test]
fn what_is_wrong_is_told_at_its_place_in_the_file() {
    let folder = Folder::new();
    folder.write("twice.yaml", "- asthma\n- name: gout\n  traget: 5\n");
    assert_eq!(
        errors(&folder, "{file: twice.yaml}"),
        [("unknown key `traget`".to_owned(), Some((3, 3)))]
    );
    folder.write("twice.yaml", "- asthma\n- name: Asthma\n  target: 5000000\n");
    assert_eq!(
        errors(&folder, "{file: twice.yaml}"),
        [
            ("two concepts are called `Asthma`".to_owned(), Some((2, 9))),
            ("5000000 rows of `Asthma`".to_owned(), Some((3, 11)))
        ]
    );
    folder.write("c.csv", "name,target\nasthma,20\ngout,many\n");
    assert_eq!(
        errors(&folder, "{file: c.csv}"),
        [("a target of `many`".to_owned(), Some((3, 1)))]
    );
    folder.write("c.csv", "name,targets\nasthma,20\n");
    assert_eq!(
        errors(&folder, "{file: c.csv}"),
        [("unknown column `targets`".to_owned(), Some((1, 1)))]
    );
    folder.write("c.csv", "name,target\nasthma,20\nasthma,3\n");
    assert_eq!(
        errors(&folder, "{file: c.csv}"),
        [("two concepts are called `asthma`".to_owned(), Some((3, 1)))]
    );
    assert_eq!(errors(&folder, "{file: none.yaml}").len(), 1);
    folder.write("empty.yaml", "[]\n");
    assert_eq!(
        errors(&folder, "{file: empty.yaml}")[0].0,
        "the concept file `empty.yaml` holds no concept"
    );
}

#[test]
fn contradictions_are_refused() {
    let folder = Folder::new();
    folder.write("c.yaml", "- asthma\n");
    let first = |concepts: &str| errors(&folder, concepts)[0].0.clone();
    assert!(first("{target: 5}").contains("come from one place"));
    assert!(first("{file: c.yaml, found: 8}").contains("come from one place"));
    assert!(first("{list: [a, A]}").contains("two concepts are called"));
    assert!(first("{found: 1}").contains("1 clusters"));
    assert!(first("{list: [a], confidence: 1.5}").contains("is a share"));
    assert!(first("{list: [a], assign: labels}").contains("the seeds have none"));
    assert!(first("{list: [a], choices: 5}").contains("no model chooses"));
    assert!(first("{list: [a], assign: model, choices: 1}").contains("a choice of 1"));
    assert!(first("{list: [a, None], assign: model}").contains("called `none`"));
    let job = format!("{HEAD}concepts: {{list: [a]}}\nembed: {{model: off}}\n");
    assert!(
        folder
            .load(job, &[])
            .unwrap_err()
            .to_string()
            .contains("nothing is embedded")
    );
    let job =
        format!("{HEAD}concepts: {{list: [a], target: 3}}\ngenerate: {{strategy: answer_augmentation}}\n");
    assert!(
        folder
            .load(job, &[])
            .unwrap_err()
            .to_string()
            .contains("cannot fill a concept's target")
    );
}
