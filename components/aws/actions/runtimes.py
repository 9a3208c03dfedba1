"""The rows for what orchestrators and registries are made of, and for roles."""

from __future__ import annotations

from collections.abc import Mapping

from components.aws.actions.row import EC2_TAGS, TAGS, Actions, row

PROFILE = "iam:GetInstanceProfile"

ROWS: Mapping[str, Actions] = {
    # Roles
    "aws:iam/role:Role": row(
        "iam/role.go",
        create="CreateRole TagRole",
        read="GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies",
        update="PutRolePermissionsBoundary TagRole UntagRole",
        delete="DeleteRole ListInstanceProfilesForRole",
    ),
    "aws:iam/rolePolicy:RolePolicy": row(
        "iam/role_policy.go",
        create="PutRolePolicy",
        read="GetRolePolicy",
        update="PutRolePolicy",
        delete="DeleteRolePolicy",
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": row(
        "iam/role_policy_attachment.go",
        create="AttachRolePolicy",
        read="ListAttachedRolePolicies",
        delete="DetachRolePolicy",
    ),
    "aws:iam/instanceProfile:InstanceProfile": row(
        "iam/instance_profile.go",
        create="CreateInstanceProfile AddRoleToInstanceProfile TagInstanceProfile",
        read="GetInstanceProfile",
        update="TagInstanceProfile UntagInstanceProfile",
        delete="RemoveRoleFromInstanceProfile DeleteInstanceProfile",
        passed_to="ec2",
    ),
    # Instances
    "aws:ec2/launchTemplate:LaunchTemplate": row(
        "ec2/ec2_launch_template.go",
        create="CreateLaunchTemplate CreateTags",
        read="DescribeLaunchTemplates DescribeLaunchTemplateVersions",
        update=f"CreateLaunchTemplateVersion ModifyLaunchTemplate {EC2_TAGS}",
        delete="DeleteLaunchTemplate",
    ),
    "aws:ec2/instance:Instance": row(
        "ec2/ec2_instance.go",
        create=f"RunInstances CreateTags DescribeImages {PROFILE}",
        read=f"DescribeInstances DescribeInstanceAttribute DescribeInstanceCreditSpecifications DescribeInstanceTypes"
        f" DescribeTags DescribeVolumes {PROFILE}",
        update=f"ModifyInstanceAttribute ModifyInstanceMetadataOptions ModifyVolume {EC2_TAGS}",
        delete="TerminateInstances",
        passed_to="ec2",
    ),
    "aws:autoscaling/group:Group": row(
        "autoscaling/group.go",
        # Whoever makes a group has to be allowed what its template starts (user guide, "Launch template support").
        create="CreateAutoScalingGroup CreateOrUpdateTags ec2:RunInstances ec2:CreateTags",
        read="DescribeAutoScalingGroups DescribeScalingActivities ec2:DescribeLaunchTemplateVersions"
        " ec2:DescribeInstances",
        update="UpdateAutoScalingGroup CreateOrUpdateTags DeleteTags StartInstanceRefresh DescribeInstanceRefreshes"
        " CancelInstanceRefresh ec2:RunInstances ec2:CreateTags",
        delete="UpdateAutoScalingGroup DeleteAutoScalingGroup",
        passed_to="ec2",
        linked="autoscaling",
    ),
    "aws:autoscaling/attachment:Attachment": row(
        "autoscaling/attachment.go",
        create="AttachLoadBalancerTargetGroups",
        read="DescribeAutoScalingGroups",
        delete="DetachLoadBalancerTargetGroups",
    ),
    # ECS
    "aws:ecs/cluster:Cluster": row(
        "ecs/cluster.go",
        create="CreateCluster TagResource",
        read="DescribeClusters",
        update=f"UpdateCluster {TAGS}",
        delete="DeleteCluster",
        linked="ecs",
    ),
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": row(
        "ecs/cluster_capacity_providers.go",
        create="PutClusterCapacityProviders",
        read="DescribeClusters",
        update="PutClusterCapacityProviders",
        delete="PutClusterCapacityProviders",
    ),
    "aws:ecs/capacityProvider:CapacityProvider": row(
        "ecs/capacity_provider.go",
        # ECS marks the group as its own with the caller's permissions (ECS API, CreateCapacityProvider).
        create="CreateCapacityProvider TagResource autoscaling:CreateOrUpdateTags",
        read="DescribeCapacityProviders",
        update=f"UpdateCapacityProvider {TAGS}",
        delete="DeleteCapacityProvider",
    ),
    "aws:ecs/taskDefinition:TaskDefinition": row(
        "ecs/task_definition.go",
        create="RegisterTaskDefinition TagResource",
        read="DescribeTaskDefinition",
        update=TAGS,
        delete="DeregisterTaskDefinition",
        passed_to="ecs-tasks",
    ),
    "aws:ecs/service:Service": row(
        "ecs/service.go",
        create="CreateService TagResource",
        # By the deployment it sees whether a steady state is reached.
        read="DescribeServices DescribeServiceDeployments ListServiceDeployments",
        update=f"UpdateService {TAGS}",
        delete="UpdateService DeleteService",
    ),
    "aws:appautoscaling/target:Target": row(
        "appautoscaling/target.go",
        create="RegisterScalableTarget TagResource",
        read="DescribeScalableTargets ListTagsForResource",
        update=f"RegisterScalableTarget {TAGS}",
        delete="DeregisterScalableTarget",
        linked="ecs.application-autoscaling",
    ),
    "aws:appautoscaling/policy:Policy": row(
        "appautoscaling/policy.go",
        create="PutScalingPolicy",
        read="DescribeScalingPolicies",
        update="PutScalingPolicy",
        delete="DeleteScalingPolicy",
    ),
    "aws:scheduler/schedule:Schedule": row(
        "scheduler/schedule.go",
        create="CreateSchedule",
        read="GetSchedule",
        update="UpdateSchedule",
        delete="DeleteSchedule",
        passed_to="scheduler",
    ),
    # EKS
    "aws:eks/cluster:Cluster": row(
        "eks/cluster.go",
        create="CreateCluster TagResource",
        read="DescribeCluster",
        update=f"UpdateClusterConfig UpdateClusterVersion DescribeUpdate {TAGS}",
        delete="DeleteCluster",
        passed_to="eks ec2",
        linked="eks",
    ),
    "aws:eks/addon:Addon": row(
        "eks/addon.go",
        create="CreateAddon CreatePodIdentityAssociation TagResource",
        read="DescribeAddon DescribePodIdentityAssociation",
        update=f"UpdateAddon DescribeUpdate UpdatePodIdentityAssociation {TAGS}",
        delete="DeleteAddon DeletePodIdentityAssociation",
        passed_to="pods.eks",
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": row(
        "eks/pod_identity_association.go",
        create="CreatePodIdentityAssociation TagResource iam:GetRole",
        read="DescribePodIdentityAssociation",
        update=f"UpdatePodIdentityAssociation {TAGS} iam:GetRole",
        delete="DeletePodIdentityAssociation",
        passed_to="pods.eks",
    ),
    "aws:eks/accessEntry:AccessEntry": row(
        "eks/access_entry.go",
        create="CreateAccessEntry TagResource",
        read="DescribeAccessEntry",
        update=f"UpdateAccessEntry {TAGS}",
        delete="DeleteAccessEntry",
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": row(
        "eks/access_policy_association.go",
        create="AssociateAccessPolicy",
        read="ListAssociatedAccessPolicies",
        delete="DisassociateAccessPolicy",
    ),
    # Registries
    "aws:ecr/repository:Repository": row(
        "ecr/repository.go",
        create="CreateRepository TagResource",
        read="DescribeRepositories ListTagsForResource",
        update=f"PutImageScanningConfiguration PutImageTagMutability {TAGS}",
        delete="DeleteRepository",
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": row(
        "ecr/lifecycle_policy.go",
        create="PutLifecyclePolicy",
        read="GetLifecyclePolicy",
        update="PutLifecyclePolicy",
        delete="DeleteLifecyclePolicy",
    ),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": row(
        "ecr/pull_through_cache_rule.go",
        create="CreatePullThroughCacheRule secretsmanager:GetSecretValue",
        read="DescribePullThroughCacheRules",
        update="UpdatePullThroughCacheRule secretsmanager:GetSecretValue",
        delete="DeletePullThroughCacheRule",
        linked="pullthroughcache.ecr",
    ),
    "aws:ecrpublic/repository:Repository": row(
        "ecrpublic/repository.go",
        create="CreateRepository TagResource",
        read="DescribeRepositories GetRepositoryCatalogData ListTagsForResource",
        update=f"PutRepositoryCatalogData {TAGS}",
        delete="DeleteRepository",
    ),
    # Who GitHub is
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": row(
        "iam/openid_connect_provider.go",
        create="CreateOpenIDConnectProvider TagOpenIDConnectProvider",
        read="GetOpenIDConnectProvider",
        update="TagOpenIDConnectProvider UntagOpenIDConnectProvider",
        delete="DeleteOpenIDConnectProvider",
    ),
    "aws:iam/policy:Policy": row(
        "iam/policy.go",
        create="CreatePolicy TagPolicy",
        read="GetPolicy GetPolicyVersion",
        update="CreatePolicyVersion DeletePolicyVersion ListPolicyVersions TagPolicy UntagPolicy",
        delete="DeletePolicy DeletePolicyVersion ListPolicyVersions",
    ),
}
