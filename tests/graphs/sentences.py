"""Hand-written sentences with the entities and relations that they state.

Entities: ``@`` anatomy, ``+`` present, ``-`` absent, ``?`` uncertain, ``#`` a measured size,
``%`` a measured distance; the tokens of one span are joined by ``_``. Relations: ``a~b`` a modifies
b, ``a>b`` a is located at b, ``a=>b`` a suggests b.
"""

from __future__ import annotations

CASES: tuple[tuple[str, str, str], ...] = (
    # Plain statements
    ("No pleural effusion.", "@pleural -effusion", "effusion>pleural"),
    (
        "There is a small left pleural effusion.",
        "+small @left @pleural +effusion",
        "small~effusion left~pleural effusion>pleural",
    ),
    ("Lungs are clear.", "@lungs +clear", "clear>lungs"),
    ("The heart is mildly enlarged.", "@heart +mildly +enlarged", "mildly~enlarged enlarged>heart"),
    ("Heart size is normal.", "@heart @size +normal", "size~heart normal>heart"),
    ("Stable cardiomegaly.", "+stable +cardiomegaly", "stable~cardiomegaly"),
    ("Low lung volumes.", "+low @lung @volumes", "low>lung volumes~lung"),
    ("Bibasilar atelectasis.", "@bibasilar +atelectasis", "atelectasis>bibasilar"),
    ("Mild interstitial edema.", "+mild @interstitial +edema", "mild~edema edema>interstitial"),
    (
        "Unchanged mediastinal contours.",
        "+unchanged @mediastinal @contours",
        "unchanged>mediastinal contours~mediastinal",
    ),
    (
        "A calcified granuloma projects over the left upper lobe.",
        "+calcified +granuloma @left @upper @lobe",
        "calcified~granuloma granuloma>lobe left~lobe upper~lobe",
    ),
    ("Tortuous thoracic aorta.", "+tortuous @thoracic @aorta", "tortuous>aorta thoracic~aorta"),
    # Lists and shared parts
    (
        "No focal consolidation, pleural effusion, or pneumothorax.",
        "-focal -consolidation @pleural -effusion -pneumothorax",
        "focal~consolidation effusion>pleural",
    ),
    ("No effusion, pneumothorax or consolidation.", "-effusion -pneumothorax -consolidation", ""),
    (
        "No pneumonia, edema, effusions, nodules, or masses.",
        "-pneumonia -edema -effusions -nodules -masses",
        "",
    ),
    (
        "Heart size and mediastinal contours are normal.",
        "@heart @size @mediastinal @contours +normal",
        "size~heart contours~mediastinal normal>heart normal>mediastinal",
    ),
    (
        "Normal cardiac and mediastinal contours.",
        "+normal @cardiac @mediastinal @contours",
        "normal>cardiac normal>mediastinal contours~cardiac contours~mediastinal",
    ),
    (
        "Atelectasis and edema are seen in the right base.",
        "+atelectasis +edema @right @base",
        "atelectasis>base edema>base right~base",
    ),
    (
        "Opacities in the right lower lobe and left base.",
        "+opacities @right @lower @lobe @left @base",
        "opacities>lobe opacities>base right~lobe lower~lobe left~base",
    ),
    (
        "Normal heart, lungs and mediastinum.",
        "+normal @heart @lungs @mediastinum",
        "normal>heart normal>lungs normal>mediastinum",
    ),
    (
        "Heart, lungs and pleural spaces are normal.",
        "@heart @lungs @pleural @spaces +normal",
        "spaces~pleural normal>heart normal>lungs normal>pleural",
    ),
    (
        "No hilar or mediastinal adenopathy.",
        "@hilar @mediastinal -adenopathy",
        "adenopathy>hilar adenopathy>mediastinal",
    ),
    (
        "Right upper and left lower lobe opacities.",
        "@right @upper @left @lower @lobe +opacities",
        "right~upper left~lobe lower~lobe opacities>upper opacities>lobe",
    ),
    (
        "Small effusions, left greater than right.",
        "+small +effusions @left +greater @right",
        "small~effusions greater~effusions effusions>left effusions>right",
    ),
    ("The lungs show areas of edema.", "@lungs +areas +edema", "areas~edema edema>lungs"),
    (
        "Heart of normal size and contour.",
        "@heart +normal @size @contour",
        "normal>heart size~heart contour~heart",
    ),
    (
        "Lungs are hypoinflated but clear.",
        "@lungs +hypoinflated +clear",
        "hypoinflated>lungs clear>lungs",
    ),
    # Negation before
    ("There is no evidence of pneumothorax.", "-pneumothorax", ""),
    ("Negative for acute fracture.", "-acute -fracture", "acute~fracture"),
    ("Lungs are clear without effusion.", "@lungs +clear -effusion", "clear>lungs"),
    (
        "The lungs are free of focal airspace disease.",
        "@lungs -focal @airspace -disease",
        "focal~disease disease>airspace",
    ),
    ("Lungs are clear of consolidation.", "@lungs +clear -consolidation", "clear>lungs"),
    ("The heart is not enlarged.", "@heart -enlarged", "enlarged>heart"),
    ("Absence of pleural fluid.", "@pleural -fluid", "fluid>pleural"),
    ("Neither effusion nor pneumothorax is seen.", "-effusion -pneumothorax", ""),
    ("No large effusion.", "-large -effusion", "large~effusion"),
    (
        "The bony structures show no acute abnormality.",
        "@bony @structures -acute -abnormality",
        "structures~bony acute~abnormality abnormality>bony",
    ),
    # Negation after
    ("Pneumothorax is not seen.", "-pneumothorax", ""),
    (
        "The left effusion has resolved.",
        "@left -effusion +resolved",
        "effusion>left resolved~effusion",
    ),
    ("Pneumonia is unlikely.", "-pneumonia", ""),
    ("The chest tube has been removed.", "@chest -tube", "tube>chest"),
    ("Previously seen nodule is no longer visible.", "-nodule", ""),
    # Where a negation ends
    ("No effusion, but there is mild edema.", "-effusion +mild +edema", "mild~edema"),
    (
        "No pneumothorax and the heart is enlarged.",
        "-pneumothorax @heart +enlarged",
        "enlarged>heart",
    ),
    ("No effusion; cardiomegaly.", "-effusion +cardiomegaly", ""),
    (
        "No pneumothorax with small left effusion.",
        "-pneumothorax +small @left +effusion",
        "small~effusion effusion>left",
    ),
    (
        "No consolidation, however streaky opacities are present.",
        "-consolidation +streaky +opacities",
        "streaky~opacities",
    ),
    (
        "No change in the small effusion.",
        "-change +small +effusion",
        "change~effusion small~effusion",
    ),
    ("No significant interval change.", "-significant -change", "significant~change"),
    # Uncertainty
    ("Possible pneumonia.", "?pneumonia", ""),
    ("Pneumonia cannot be excluded.", "?pneumonia", ""),
    ("Cannot exclude a small effusion.", "?small ?effusion", "small~effusion"),
    (
        "Probable small bilateral effusions.",
        "?small @bilateral ?effusions",
        "small~effusions effusions>bilateral",
    ),
    ("Possible mass, cardiomegaly.", "?mass +cardiomegaly", ""),
    (
        "Atelectasis versus pneumonia at the left base.",
        "?atelectasis ?pneumonia @left @base",
        "atelectasis>base pneumonia>base left~base",
    ),
    ("No possible effusion.", "-effusion", ""),
    ("Suspected left nodule.", "@left ?nodule", "nodule>left"),
    ("A mass is suspected.", "?mass", ""),
    (
        "Cardiac silhouette may be enlarged.",
        "@cardiac @silhouette ?enlarged",
        "silhouette~cardiac enlarged>cardiac",
    ),
    # Suggestion
    (
        "Left basilar opacity may represent atelectasis or pneumonia.",
        "@left @basilar +opacity ?atelectasis ?pneumonia",
        "left~basilar opacity>basilar opacity=>atelectasis opacity=>pneumonia",
    ),
    (
        "Hyperexpanded lungs, suggestive of emphysema.",
        "+hyperexpanded @lungs ?emphysema",
        "hyperexpanded>lungs hyperexpanded=>emphysema",
    ),
    (
        "Interstitial opacities consistent with edema.",
        "@interstitial +opacities +edema",
        "opacities>interstitial opacities=>edema",
    ),
    (
        "Blunting of the costophrenic angle suggests an effusion.",
        "+blunting @costophrenic @angle ?effusion",
        "blunting>costophrenic angle~costophrenic blunting=>effusion",
    ),
    ("No opacity to suggest pneumonia.", "-opacity -pneumonia", "opacity=>pneumonia"),
    (
        "Differential diagnosis includes infection, aspiration, and edema.",
        "?infection ?aspiration ?edema",
        "",
    ),
    # Predicates and attributes
    ("The effusion is small.", "+effusion +small", "small~effusion"),
    ("The heart is normal in size.", "@heart +normal @size", "normal>heart size~heart"),
    ("Heart normal.", "@heart +normal", "normal>heart"),
    (
        "The cardiac silhouette is within normal limits.",
        "@cardiac @silhouette +within_normal_limits",
        "silhouette~cardiac within_normal_limits>cardiac",
    ),
    (
        "The aorta is tortuous and calcified.",
        "@aorta +tortuous +calcified",
        "tortuous>aorta calcified>aorta",
    ),
    ("Opacities have increased.", "+opacities +increased", "increased~opacities"),
    (
        "The lungs are clear bilaterally.",
        "@lungs +clear @bilaterally",
        "clear>lungs bilaterally~lungs",
    ),
    (
        "Elevation of the right hemidiaphragm.",
        "+elevation @right @hemidiaphragm",
        "elevation>hemidiaphragm right~hemidiaphragm",
    ),
    # Devices and sizes
    (
        "Endotracheal tube tip 4 cm above the carina.",
        "+endotracheal +tube +tip %4_cm_above @carina",
        "endotracheal~tube tip~tube 4_cm_above~carina tube>carina",
    ),
    ("Right PICC with tip in the SVC.", "@right +picc +tip @svc", "picc>right tip~picc tip>svc"),
    (
        "4.5 cm mass in the left upper lobe.",
        "#4.5_cm +mass @left @upper @lobe",
        "4.5_cm~mass mass>lobe left~lobe upper~lobe",
    ),
    (
        "Left chest wall pacemaker with leads in the right atrium and ventricle.",
        "@left @chest_wall +pacemaker +leads @right @atrium @ventricle",
        "left~chest_wall pacemaker>chest_wall leads>atrium leads>ventricle right~atrium",
    ),
    (
        "Multilevel degenerative changes of the thoracic spine.",
        "+multilevel +degenerative +changes @thoracic @spine",
        "multilevel~changes degenerative~changes changes>spine thoracic~spine",
    ),
    (
        "Old healed left rib fractures.",
        "+old +healed @left @rib +fractures",
        "old~fractures healed~fractures left~rib fractures>rib",
    ),
    # Not of this study
    ("History of pneumonia.", "", ""),
    ("Recommend chest CT for further evaluation.", "", ""),
    ("Patient with history of lymphoma, now with effusion.", "+effusion", ""),
    (
        "Compared to the prior study, the effusion is larger.",
        "+effusion +larger",
        "larger~effusion",
    ),
    # Spelling, marks, inflection
    ("No pneumothoraces or effussion.", "-pneumothoraces -effussion", ""),
    ("XXXX opacity in the ___ lobe.", "+opacity @lobe", "opacity>lobe"),
    (
        "NO ACUTE CARDIOPULMONARY PROCESS.",
        "-acute @cardiopulmonary -process",
        "acute~process process>cardiopulmonary",
    ),
    ("Right-sided effusion.", "@right_-_sided +effusion", "effusion>right_-_sided"),
    ("Band-like opacity.", "+band_-_like +opacity", "band_-_like~opacity"),
    ("The patient is rotated.", "", ""),
    (
        "ET tube 2 cm from the carina.",
        "+et_tube %2_cm @carina",
        "et_tube>carina 2_cm~carina",
    ),
    ("Cholecystectomy clips are noted.", "+cholecystectomy +clips", "cholecystectomy~clips"),
    ("Normal chest x-ray.", "+normal @chest", "normal>chest"),
    ("Negative chest radiograph.", "+negative @chest", "negative>chest"),
    ("Chest radiograph was obtained.", "", ""),
    (
        "The pulmonary vascularity is within normal limits.",
        "@pulmonary @vascularity +within_normal_limits",
        "vascularity~pulmonary within_normal_limits>pulmonary",
    ),
    (
        "Enlarged central pulmonary arteries.",
        "+enlarged @central @pulmonary @arteries",
        "enlarged>arteries central~arteries pulmonary~arteries",
    ),
    (
        "Left upper lobe pulmonary nodule.",
        "@left @upper @lobe @pulmonary +nodule",
        "left~lobe upper~lobe nodule>lobe nodule>pulmonary",
    ),
    (
        "Nodule in the apical segment of the left upper lobe.",
        "+nodule @apical @segment @left @upper @lobe",
        "nodule>lobe apical~segment segment~lobe left~lobe upper~lobe",
    ),
    (
        "Osseous structures of the thorax are without acute abnormality.",
        "@osseous @structures @thorax -acute -abnormality",
        "structures~osseous thorax~osseous acute~abnormality abnormality>osseous",
    ),
    (
        "Scarring near the right lung apex along the lateral aspect.",
        "+scarring @right @lung @apex @lateral @aspect",
        "scarring>lung right~lung apex~lung lateral~aspect aspect~lung",
    ),
    (
        "Minimally displaced rib fracture.",
        "+minimally +displaced @rib +fracture",
        "minimally~displaced displaced~fracture fracture>rib",
    ),
    (
        "The heart and mediastinal contours are stable.",
        "@heart @mediastinal @contours +stable",
        "contours~heart contours~mediastinal stable>heart stable>mediastinal",
    ),
    (
        "Complete resolution of the lobar consolidation.",
        "+complete +resolution @lobar -consolidation",
        "complete~resolution resolution~consolidation consolidation>lobar",
    ),
    ("She left the hospital.", "", ""),
    ("Creatinine was elevated.", "", ""),
    # Doubt and comparison, in the words of real reports
    (
        "New nodule in the right upper lobe, not seen on the prior study.",
        "+new +nodule @right @upper @lobe",
        "new~nodule nodule>lobe right~lobe upper~lobe",
    ),
    (
        "Bibasilar atelectasis, less likely pneumonia.",
        "@bibasilar +atelectasis ?pneumonia",
        "atelectasis>bibasilar",
    ),
    ("Whether there is concurrent pneumonia is impossible to tell.", "?pneumonia", ""),
    ("Pneumonia cannot be confirmed.", "?pneumonia", ""),
    ("Clinical correlation for pneumonia is recommended.", "?pneumonia", ""),
    (
        "Opacity compatible with pneumonia in the appropriate clinical setting.",
        "+opacity ?pneumonia",
        "opacity=>pneumonia",
    ),
    ("A nodule is not clearly seen.", "?nodule", ""),
    (
        "Given the degree of edema, a large effusion is unlikely.",
        "+edema -large -effusion",
        "large~effusion",
    ),
    ("No effusion or evidence of adenopathy.", "-effusion -adenopathy", ""),
    (
        "Opacity in the left base is new and could be pneumonia.",
        "+opacity @left @base +new ?pneumonia",
        "opacity>base left~base new~opacity opacity=>pneumonia",
    ),
    (
        "Cardiac silhouette is obscured but probably still enlarged.",
        "@cardiac @silhouette +obscured ?enlarged",
        "silhouette~cardiac obscured>cardiac enlarged>cardiac",
    ),
    (
        "A lesion in the apex raises concern for tuberculosis.",
        "+lesion @apex ?tuberculosis",
        "lesion>apex lesion=>tuberculosis",
    ),
    ("R basilar opacity.", "@r @basilar +opacity", "r~basilar opacity>basilar"),
    ("Creatinine 103 mg/L.", "", ""),
    ("Pas de pneumothorax.", "", ""),
    (
        "The tube is low and should be withdrawn 2 cm.",
        "+tube +low",
        "low~tube",
    ),
    # Denial, doubt and time in the words of templates and of haste
    ("Pneumothorax: None.", "-pneumothorax", ""),
    ("Effusion: No.", "-effusion", ""),
    ("Effusion - none.", "-effusion", ""),
    ("Pneumothorax: absent.", "-pneumothorax", ""),
    ("Edema: negative.", "-edema", ""),
    ("Pneumothorax: not seen.", "-pneumothorax", ""),
    ("Pneumothorax absent.", "-pneumothorax", ""),
    ("Pleural effusion (none).", "@pleural -effusion", "effusion>pleural"),
    ("Edema: possible.", "?edema", ""),
    ("There isn't any effusion.", "-effusion", ""),
    ("Pneumonia can't be excluded.", "?pneumonia", ""),
    ("Pneumothorax has been excluded.", "-pneumothorax", ""),
    ("Effusion could not be identified.", "-effusion", ""),
    ("Effusion has not been seen.", "-effusion", ""),
    ("Pneumothorax not found.", "-pneumothorax", ""),
    ("Effusion is no longer apparent.", "-effusion", ""),
    ("Effusion is gone.", "-effusion", ""),
    ("Pneumonia is not likely.", "-pneumonia", ""),
    ("Fails to demonstrate pneumonia.", "-pneumonia", ""),
    ("Effusion cannot be entirely ruled out.", "?effusion", ""),
    ("R/O pneumonia.", "?pneumonia", ""),
    (
        "Right lower lobe opacity, ?pneumonia.",
        "@right @lower @lobe +opacity ?pneumonia",
        "right~lobe lower~lobe opacity>lobe",
    ),
    ("Pneumonia?", "?pneumonia", ""),
    ("I doubt pneumonia.", "?pneumonia", ""),
    ("Possibility of pneumonia.", "?pneumonia", ""),
    ("The possibility of early pneumonia is raised.", "?pneumonia", ""),
    ("Pneumonia is not ruled out.", "?pneumonia", ""),
    (
        "The left basilar opacity is likely due to atelectasis.",
        "@left @basilar +opacity ?atelectasis",
        "left~basilar opacity>basilar opacity=>atelectasis",
    ),
    (
        "Bibasilar opacities are likely atelectasis.",
        "@bibasilar +opacities ?atelectasis",
        "opacities>bibasilar opacities=>atelectasis",
    ),
    ("Opacity is likely chronic.", "+opacity ?chronic", "chronic~opacity"),
    ("Small effusion is likely present.", "?small ?effusion", "small~effusion"),
    ("Opacity is thought to be due to pneumonia.", "+opacity ?pneumonia", "opacity=>pneumonia"),
    (
        "No pneumothorax, stable cardiomegaly.",
        "-pneumothorax +stable +cardiomegaly",
        "stable~cardiomegaly",
    ),
    (
        "No pneumothorax and stable small left effusion.",
        "-pneumothorax +stable +small @left +effusion",
        "stable~effusion small~effusion effusion>left",
    ),
    (
        "No pneumothorax, mild bibasilar atelectasis.",
        "-pneumothorax +mild @bibasilar +atelectasis",
        "mild~atelectasis atelectasis>bibasilar",
    ),
    (
        "Clear lungs, no effusion, mild cardiomegaly.",
        "+clear @lungs -effusion +mild +cardiomegaly",
        "clear>lungs mild~cardiomegaly",
    ),
    (
        "No pneumothorax, effusion, or focal consolidation.",
        "-pneumothorax -effusion -focal -consolidation",
        "focal~consolidation",
    ),
    ("No small effusion, or pneumothorax.", "-small -effusion -pneumothorax", "small~effusion"),
    ("Prior study showed a right effusion.", "", ""),
    ("Follow-up radiograph in 6 weeks to document resolution of pneumonia.", "", ""),
    (
        "NG tube courses below the diaphragm, tip not seen.",
        "+ng_tube @diaphragm -tip",
        "ng_tube>diaphragm tip~ng_tube",
    ),
    ("Evaluate for pneumothorax.", "", ""),
    ("Heart size is increased.", "@heart @size +increased", "size~heart increased>heart"),
    (
        "Increased cardiothoracic ratio.",
        "+increased @cardiothoracic_ratio",
        "increased>cardiothoracic_ratio",
    ),
    (
        "No pleural effusion, pneumothorax or consolidation.",
        "@pleural -effusion -pneumothorax -consolidation",
        "effusion>pleural",
    ),
    (
        "Volume loss in the left lower lobe.",
        "+volume_loss @left @lower @lobe",
        "volume_loss>lobe left~lobe lower~lobe",
    ),
)
