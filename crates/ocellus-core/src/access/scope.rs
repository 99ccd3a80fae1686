//! The scopes a key may hold, with the vendor's numbers and names, and sets of them.

use std::fmt;

/// One permission, by its published number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(pub u16);

#[expect(missing_docs, reason = "the names are the vendor's and say it")]
impl Scope {
    pub const ALL: Self = Self(1);
    pub const PREDICT: Self = Self(2);
    pub const SEARCH: Self = Self(3);
    pub const INPUTS_ADD: Self = Self(4);
    pub const INPUTS_GET: Self = Self(5);
    pub const INPUTS_PATCH: Self = Self(7);
    pub const INPUTS_DELETE: Self = Self(8);
    pub const OUTPUTS_PATCH: Self = Self(9);
    pub const CONCEPTS_ADD: Self = Self(10);
    pub const CONCEPTS_GET: Self = Self(11);
    pub const CONCEPTS_PATCH: Self = Self(12);
    pub const CONCEPTS_DELETE: Self = Self(13);
    pub const MODELS_ADD: Self = Self(14);
    pub const MODELS_GET: Self = Self(15);
    pub const MODELS_PATCH: Self = Self(16);
    pub const MODELS_DELETE: Self = Self(17);
    pub const WORKFLOWS_ADD: Self = Self(18);
    pub const WORKFLOWS_GET: Self = Self(19);
    pub const WORKFLOWS_PATCH: Self = Self(20);
    pub const WORKFLOWS_DELETE: Self = Self(21);
    pub const TSNE_VISUALIZATIONS_ADD: Self = Self(24);
    pub const TSNE_VISUALIZATIONS_GET: Self = Self(25);
    pub const MODELS_TRAIN: Self = Self(26);
    pub const MODELS_SYNC: Self = Self(27);
    pub const ANNOTATIONS_ADD: Self = Self(37);
    pub const ANNOTATIONS_GET: Self = Self(38);
    pub const ANNOTATIONS_PATCH: Self = Self(39);
    pub const ANNOTATIONS_DELETE: Self = Self(40);
    pub const COLLECTORS_ADD: Self = Self(41);
    pub const COLLECTORS_GET: Self = Self(42);
    pub const COLLECTORS_DELETE: Self = Self(43);
    pub const APPS_ADD: Self = Self(44);
    pub const APPS_GET: Self = Self(45);
    pub const APPS_DELETE: Self = Self(46);
    pub const KEYS_ADD: Self = Self(47);
    pub const KEYS_GET: Self = Self(48);
    pub const KEYS_DELETE: Self = Self(49);
    pub const COLLABORATORS_GET: Self = Self(50);
    pub const COLLABORATORS_ADD: Self = Self(51);
    pub const COLLABORATORS_DELETE: Self = Self(52);
    pub const METRICS_GET: Self = Self(53);
    pub const METRICS_ADD: Self = Self(54);
    pub const TASKS_ADD: Self = Self(55);
    pub const TASKS_GET: Self = Self(56);
    pub const PASSWORD_POLICIES_ADD: Self = Self(57);
    pub const PASSWORD_POLICIES_GET: Self = Self(58);
    pub const PASSWORD_POLICIES_DELETE: Self = Self(59);
    pub const METRICS_DELETE: Self = Self(63);
    pub const LABEL_ORDERS_GET: Self = Self(67);
    pub const LABEL_ORDERS_ADD: Self = Self(68);
    pub const LABEL_ORDERS_DELETE: Self = Self(69);
    pub const TASKS_DELETE: Self = Self(70);
    pub const WORKFLOW_METRICS_GET: Self = Self(96);
    pub const WORKFLOW_METRICS_ADD: Self = Self(97);
    pub const WORKFLOW_METRICS_DELETE: Self = Self(98);
    pub const FIND_DUPLICATE_ANNOTATIONS_JOBS_ADD: Self = Self(102);
    pub const FIND_DUPLICATE_ANNOTATIONS_JOBS_GET: Self = Self(103);
    pub const FIND_DUPLICATE_ANNOTATIONS_JOBS_DELETE: Self = Self(104);
    pub const DATASETS_GET: Self = Self(105);
    pub const DATASETS_ADD: Self = Self(106);
    pub const DATASETS_DELETE: Self = Self(107);
    pub const MODULES_ADD: Self = Self(108);
    pub const MODULES_GET: Self = Self(109);
    pub const MODULES_DELETE: Self = Self(110);
    pub const INSTALLED_MODULE_VERSIONS_ADD: Self = Self(111);
    pub const INSTALLED_MODULE_VERSIONS_GET: Self = Self(112);
    pub const INSTALLED_MODULE_VERSIONS_DELETE: Self = Self(113);
    pub const SAVED_SEARCH_GET: Self = Self(114);
    pub const SAVED_SEARCH_ADD: Self = Self(115);
    pub const SAVED_SEARCH_DELETE: Self = Self(116);
    pub const MODEL_VERSION_PUBLICATIONS_ADD: Self = Self(117);
    pub const MODEL_VERSION_PUBLICATIONS_DELETE: Self = Self(118);
    pub const WORKFLOW_PUBLICATIONS_ADD: Self = Self(119);
    pub const WORKFLOW_PUBLICATIONS_DELETE: Self = Self(120);
    pub const BULK_OPERATION_ADD: Self = Self(121);
    pub const BULK_OPERATION_GET: Self = Self(122);
    pub const BULK_OPERATION_DELETE: Self = Self(123);
    pub const HISTORICAL_USAGE_GET: Self = Self(124);
    pub const UPLOADS_GET: Self = Self(128);
    pub const UPLOADS_ADD: Self = Self(129);
    pub const UPLOADS_DELETE: Self = Self(130);
    pub const RUNNERS_GET: Self = Self(131);
    pub const RUNNERS_ADD: Self = Self(132);
    pub const RUNNERS_DELETE: Self = Self(133);
    pub const RUNNER_ITEMS_GET: Self = Self(134);
    pub const RUNNER_ITEMS_ADD: Self = Self(135);
    pub const NODEPOOLS_GET: Self = Self(136);
    pub const NODEPOOLS_ADD: Self = Self(137);
    pub const NODEPOOLS_DELETE: Self = Self(138);
    pub const COMPUTE_CLUSTERS_GET: Self = Self(139);
    pub const COMPUTE_CLUSTERS_ADD: Self = Self(140);
    pub const COMPUTE_CLUSTERS_DELETE: Self = Self(141);
    pub const MODEL_EXPORTS_GET: Self = Self(142);
    pub const MODEL_EXPORTS_ADD: Self = Self(143);
    pub const DEPLOYMENTS_GET: Self = Self(144);
    pub const DEPLOYMENTS_ADD: Self = Self(145);
    pub const DEPLOYMENTS_DELETE: Self = Self(146);
    pub const INSTANCE_TYPES_GET: Self = Self(148);
    pub const AUDIT_LOGS_GET: Self = Self(149);
    pub const MODELS_PULL: Self = Self(150);
    pub const LOG_ENTRIES_GET: Self = Self(151);
    pub const WORKFLOW_VERSION_EVALUATIONS_GET: Self = Self(152);
    pub const WORKFLOW_VERSION_EVALUATIONS_ADD: Self = Self(153);
    pub const PIPELINES_GET: Self = Self(154);
    pub const PIPELINES_ADD: Self = Self(155);
    pub const PIPELINES_DELETE: Self = Self(156);
    pub const PIPELINE_STEPS_GET: Self = Self(157);
    pub const PIPELINE_STEPS_ADD: Self = Self(158);
    pub const PIPELINE_STEPS_PULL: Self = Self(159);
    pub const SECRETS_GET: Self = Self(160);
    pub const SECRETS_ADD: Self = Self(161);
    pub const SECRETS_DELETE: Self = Self(162);
    pub const USER_METRICS_GET: Self = Self(163);
    pub const ANNOTATION_TRACKS_GET: Self = Self(166);
    pub const ANNOTATION_TRACKS_ADD: Self = Self(167);
    pub const ANNOTATION_TRACKS_DELETE: Self = Self(168);
    pub const PIPELINE_STEPS_DELETE: Self = Self(169);
    pub const ARTIFACTS_GET: Self = Self(170);
    pub const ARTIFACTS_ADD: Self = Self(171);
    pub const ARTIFACTS_DELETE: Self = Self(172);
    pub const PIPELINE_VERSION_RUN_STATUS_LOGS_GET: Self = Self(173);
}

/// Number and published name of every scope, by number.
const NAMES: &[(u16, &str)] = &[
    (1, "All"),
    (2, "Predict"),
    (3, "Search"),
    (4, "Inputs_Add"),
    (5, "Inputs_Get"),
    (7, "Inputs_Patch"),
    (8, "Inputs_Delete"),
    (9, "Outputs_Patch"),
    (10, "Concepts_Add"),
    (11, "Concepts_Get"),
    (12, "Concepts_Patch"),
    (13, "Concepts_Delete"),
    (14, "Models_Add"),
    (15, "Models_Get"),
    (16, "Models_Patch"),
    (17, "Models_Delete"),
    (18, "Workflows_Add"),
    (19, "Workflows_Get"),
    (20, "Workflows_Patch"),
    (21, "Workflows_Delete"),
    (24, "TSNEVisualizations_Add"),
    (25, "TSNEVisualizations_Get"),
    (26, "Models_Train"),
    (27, "Models_Sync"),
    (37, "Annotations_Add"),
    (38, "Annotations_Get"),
    (39, "Annotations_Patch"),
    (40, "Annotations_Delete"),
    (41, "Collectors_Add"),
    (42, "Collectors_Get"),
    (43, "Collectors_Delete"),
    (44, "Apps_Add"),
    (45, "Apps_Get"),
    (46, "Apps_Delete"),
    (47, "Keys_Add"),
    (48, "Keys_Get"),
    (49, "Keys_Delete"),
    (50, "Collaborators_Get"),
    (51, "Collaborators_Add"),
    (52, "Collaborators_Delete"),
    (53, "Metrics_Get"),
    (54, "Metrics_Add"),
    (55, "Tasks_Add"),
    (56, "Tasks_Get"),
    (57, "PasswordPolicies_Add"),
    (58, "PasswordPolicies_Get"),
    (59, "PasswordPolicies_Delete"),
    (63, "Metrics_Delete"),
    (67, "LabelOrders_Get"),
    (68, "LabelOrders_Add"),
    (69, "LabelOrders_Delete"),
    (70, "Tasks_Delete"),
    (96, "WorkflowMetrics_Get"),
    (97, "WorkflowMetrics_Add"),
    (98, "WorkflowMetrics_Delete"),
    (102, "FindDuplicateAnnotationsJobs_Add"),
    (103, "FindDuplicateAnnotationsJobs_Get"),
    (104, "FindDuplicateAnnotationsJobs_Delete"),
    (105, "Datasets_Get"),
    (106, "Datasets_Add"),
    (107, "Datasets_Delete"),
    (108, "Modules_Add"),
    (109, "Modules_Get"),
    (110, "Modules_Delete"),
    (111, "InstalledModuleVersions_Add"),
    (112, "InstalledModuleVersions_Get"),
    (113, "InstalledModuleVersions_Delete"),
    (114, "SavedSearch_Get"),
    (115, "SavedSearch_Add"),
    (116, "SavedSearch_Delete"),
    (117, "ModelVersionPublications_Add"),
    (118, "ModelVersionPublications_Delete"),
    (119, "WorkflowPublications_Add"),
    (120, "WorkflowPublications_Delete"),
    (121, "BulkOperation_Add"),
    (122, "BulkOperation_Get"),
    (123, "BulkOperation_Delete"),
    (124, "HistoricalUsage_Get"),
    (128, "Uploads_Get"),
    (129, "Uploads_Add"),
    (130, "Uploads_Delete"),
    (131, "Runners_Get"),
    (132, "Runners_Add"),
    (133, "Runners_Delete"),
    (134, "RunnerItems_Get"),
    (135, "RunnerItems_Add"),
    (136, "Nodepools_Get"),
    (137, "Nodepools_Add"),
    (138, "Nodepools_Delete"),
    (139, "ComputeClusters_Get"),
    (140, "ComputeClusters_Add"),
    (141, "ComputeClusters_Delete"),
    (142, "ModelExports_Get"),
    (143, "ModelExports_Add"),
    (144, "Deployments_Get"),
    (145, "Deployments_Add"),
    (146, "Deployments_Delete"),
    (148, "InstanceTypes_Get"),
    (149, "AuditLogs_Get"),
    (150, "Models_Pull"),
    (151, "LogEntries_Get"),
    (152, "WorkflowVersionEvaluations_Get"),
    (153, "WorkflowVersionEvaluations_Add"),
    (154, "Pipelines_Get"),
    (155, "Pipelines_Add"),
    (156, "Pipelines_Delete"),
    (157, "PipelineSteps_Get"),
    (158, "PipelineSteps_Add"),
    (159, "PipelineSteps_Pull"),
    (160, "Secrets_Get"),
    (161, "Secrets_Add"),
    (162, "Secrets_Delete"),
    (163, "UserMetrics_Get"),
    (166, "AnnotationTracks_Get"),
    (167, "AnnotationTracks_Add"),
    (168, "AnnotationTracks_Delete"),
    (169, "PipelineSteps_Delete"),
    (170, "Artifacts_Get"),
    (171, "Artifacts_Add"),
    (172, "Artifacts_Delete"),
    (173, "PipelineVersionRunStatusLogs_Get"),
];

impl Scope {
    /// The published name, or "unknown".
    pub fn name(self) -> &'static str {
        match NAMES.binary_search_by_key(&self.0, |(number, _)| *number) {
            Ok(at) => NAMES[at].1,
            Err(_) => "unknown",
        }
    }

    /// The scope with this published name; upper and lower case are the same.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| Self(*number))
    }

    /// Every scope, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(number, _)| Self(*number))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of scopes; one that holds `All` holds every scope.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeSet([u64; 4]);

impl ScopeSet {
    /// Nothing is allowed.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Everything is allowed.
    pub fn everything() -> Self {
        [Scope::ALL].into_iter().collect()
    }

    /// Puts a scope in; numbers above 255 do not exist and are left out.
    pub fn insert(&mut self, scope: Scope) {
        if let Some(word) = self.0.get_mut(usize::from(scope.0 / 64)) {
            *word |= 1 << (scope.0 % 64);
        }
    }

    /// Whether the set allows this scope, itself or through `All`.
    pub fn allows(&self, scope: Scope) -> bool {
        self.holds(Scope::ALL) || self.holds(scope)
    }

    /// Whether everything `other` allows is allowed by this set too.
    pub fn covers(&self, other: &Self) -> bool {
        self.holds(Scope::ALL) || other.iter().all(|scope| self.holds(scope))
    }

    /// What both sets allow.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self.holds(Scope::ALL), other.holds(Scope::ALL)) {
            (true, _) => *other,
            (false, true) => *self,
            (false, false) => Self(std::array::from_fn(|at| self.0[at] & other.0[at])),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// What was put in, by number.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        (0..256).map(Scope).filter(|scope| self.holds(*scope))
    }

    /// The numbers, for the store.
    pub fn numbers(&self) -> Vec<u16> {
        self.iter().map(|scope| scope.0).collect()
    }

    fn holds(&self, scope: Scope) -> bool {
        self.0.get(usize::from(scope.0 / 64)).is_some_and(|word| word & (1 << (scope.0 % 64)) != 0)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::default();
        for scope in scopes {
            set.insert(scope);
        }
        set
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_found_by_its_name_and_number() {
        for scope in Scope::all() {
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
        }
        assert_eq!(Scope::INPUTS_ADD, Scope(4));
        assert_eq!(Scope::from_name("inputs_add"), Some(Scope(4)));
        assert_eq!(Scope::from_name("Nonsense"), None);
        assert_eq!(Scope(200).name(), "unknown");
    }

    #[test]
    fn all_implies_every_scope_and_only_all_does() {
        let all = ScopeSet::everything();
        assert!(Scope::all().all(|scope| all.allows(scope)));
        let few: ScopeSet = [Scope::SEARCH, Scope(173)].into_iter().collect();
        assert!(few.allows(Scope(173)) && !few.allows(Scope::PREDICT) && !few.allows(Scope::ALL));
        assert!(all.covers(&few) && !few.covers(&all) && few.covers(&few));
        assert_eq!(few.numbers(), [3, 173]);
        let other: ScopeSet = [Scope::SEARCH, Scope::PREDICT].into_iter().collect();
        assert_eq!(few.and(&other).numbers(), [3]);
        assert_eq!((few.and(&all), all.and(&few)), (few, few));
    }
}
